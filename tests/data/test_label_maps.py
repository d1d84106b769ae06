"""Map from labels of a dataset to labels of a split."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.data.base import RawSample
from benchmark.data.label_maps import LabelMap


def make_sample(labels: object, dtype: type[np.integer]) -> RawSample:
    array = np.asarray(labels, dtype=dtype)
    return RawSample(np.zeros((*array.shape, 3), dtype=np.uint8), array, image_id="a", file_name="a.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_follow_names_and_everything_else_is_ignored(dtype: type[np.integer]) -> None:
    label_map = LabelMap(("cat", "dog", "cow"), kept=("cow", "cat"))
    assert label_map(make_sample([[0, 1, 2, 255]], dtype)).tolist() == [[1, 255, 0, 255]]


def test_marked_classes_get_their_own_labels() -> None:
    label_map = LabelMap(("cat", "dog", "cow"), kept=("cow",), marked={"dog": 70, "cow": 71})
    assert label_map(make_sample([[0, 1, 2, 255]], np.uint8)).tolist() == [[255, 70, 0, 255]]


def test_beyond_255_classes_255_is_a_class_and_65535_is_ignored() -> None:
    names = tuple(str(number) for number in range(300))
    label_map = LabelMap(names, kept=names[1:])
    assert label_map.ignore == 65535
    assert label_map(make_sample([[0, 1, 255, 256, 299, 65535]], np.uint16)).tolist() == [
        [65535, 0, 254, 255, 298, 65535]
    ]


def test_few_kept_classes_of_many_get_one_byte_labels() -> None:
    names = tuple(str(number) for number in range(300))
    label_map = LabelMap(names, kept=("299",))
    assert label_map(make_sample([[0, 299, 65535]], np.uint16)).tolist() == [[255, 0, 255]]


@pytest.mark.parametrize("wrong", [300, 65534, 70000, -1])
def test_labels_outside_a_large_vocabulary_are_refused(wrong: int) -> None:
    names = tuple(str(number) for number in range(300))
    with pytest.raises(
        ValueError, match=rf"a.png: the mask has labels \[{wrong}\], expected a class \(0 to 299\) or 65535"
    ):
        LabelMap(names, kept=names)(make_sample([[0, wrong]], np.int64))
