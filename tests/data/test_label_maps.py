"""Ids of a data set to labels of a split."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.data.base import RawSample
from benchmark.data.label_maps import LabelTable


def labelled(ids: object, dtype: type[np.integer]) -> RawSample:
    array = np.asarray(ids, dtype=dtype)
    return RawSample(np.zeros((*array.shape, 3), dtype=np.uint8), array, image_id="a", file_name="a.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_follow_names_and_everything_else_is_ignored(dtype: type[np.integer]) -> None:
    table = LabelTable(("cat", "dog", "cow"), kept=("cow", "cat"))
    assert table(labelled([[0, 1, 2, 255]], dtype)).tolist() == [[1, 255, 0, 255]]


def test_names_may_be_marked_with_labels_of_their_own() -> None:
    table = LabelTable(("cat", "dog", "cow"), kept=("cow",), marked={"dog": 70, "cow": 71})
    assert table(labelled([[0, 1, 2, 255]], np.uint8)).tolist() == [[255, 70, 0, 255]]


def test_beyond_255_classes_255_is_a_class_and_65535_is_ignored() -> None:
    names = tuple(str(number) for number in range(300))
    table = LabelTable(names, kept=names[1:])
    assert table.ignore == 65535
    assert table(labelled([[0, 1, 255, 256, 299, 65535]], np.uint16)).tolist() == [[65535, 0, 254, 255, 298, 65535]]


def test_few_names_of_many_are_labelled_within_a_byte() -> None:
    names = tuple(str(number) for number in range(300))
    table = LabelTable(names, kept=("299",))
    assert table(labelled([[0, 299, 65535]], np.uint16)).tolist() == [[255, 0, 255]]


@pytest.mark.parametrize("wrong", [300, 65534, 70000, -1])
def test_ids_outside_a_wide_vocabulary_are_refused(wrong: int) -> None:
    names = tuple(str(number) for number in range(300))
    with pytest.raises(ValueError, match=rf"a.png: the mask has ids \[{wrong}\].*\(0 to 299\) nor 65535"):
        LabelTable(names, kept=names)(labelled([[0, wrong]], np.int64))
