"""Tests of the figure of segmentations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from benchmark.qualitative.figure import choose_images, draw_segmentations, split_columns
from tests.report.figures.drawn_texts import watch_texts
from tests.report.world import CLASSES, SEEN, hand_counts

IMAGE = np.zeros((6, 9, 3), dtype=np.uint8)
TARGET = np.tile(np.array([0, 1, 255], dtype=np.int64), (6, 3))
PREDICTION = np.full((6, 9), 3, dtype=np.int64)


def draw(out: Path, **changes: Any) -> list[Path]:
    fields: dict[str, Any] = {"images": [IMAGE], "targets": [TARGET], "predictions": {"method": [PREDICTION]}} | changes
    maps = (fields["images"], fields["targets"], fields["predictions"])
    return draw_segmentations(*maps, classes=CLASSES, is_seen=SEEN, out=out, formats=["svg"])


def test_a_figure_repeats_to_the_byte_and_shows_the_predictions(tmp_path: Path) -> None:
    first, second = draw(tmp_path / "one"), draw(tmp_path / "two")
    other = draw(tmp_path / "three", predictions={"method": [PREDICTION - 3]})
    assert first[0].read_bytes() == second[0].read_bytes() != other[0].read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": []}, "no images"),
        ({"targets": []}, "'target' has 0 maps for 1 images"),
        ({"predictions": {"method": [PREDICTION[:3]]}}, r"'method' has size \(3, 9\) for image 0, which has \(6, 9\)"),
    ],
)
def test_maps_must_belong_to_the_images(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(tmp_path, **changes)


@pytest.mark.parametrize(("methods", "widths"), [(0, [1]), (6, [7]), (7, [5, 4]), (14, [6, 6, 5])])
def test_many_methods_are_in_bands_that_repeat_the_targets(methods: int, widths: list[int]) -> None:
    maps = [np.zeros((2, 2), dtype=np.int64)]
    bands = split_columns(maps, {f"method {index}": maps for index in range(methods)})
    assert [len(band) for band in bands] == widths and all(next(iter(band)) == "target" for band in bands)
    assert [name for band in bands for name in band if name != "target"] == [f"method {n}" for n in range(methods)]


def test_titles_of_fourteen_methods_lie_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, labels = np.zeros((8, 8, 3), dtype=np.uint8), np.zeros((8, 8), dtype=np.int64)
    names = [f"Split Matching {index}" for index in range(13)] + ["one_long_word_without_a_place_to_break"]
    texts = watch_texts(monkeypatch)
    options: dict[str, Any] = {"classes": ["grass"], "is_seen": [True], "image_ids": ["a", "b"], "note": "split x"}
    methods = {name: [labels] * 2 for name in names}
    draw_segmentations([image] * 2, [labels] * 2, methods, out=tmp_path, formats=["svg"], **options)
    assert texts.problems == []


def test_images_are_chosen_by_targets_so_that_unseen_classes_show() -> None:
    pixels = np.array([[9, 9, 0, 0], [9, 0, 9, 0], [9, 9, 9, 0], [0, 0, 0, 9]])
    target, confusion = sparse.csr_array(pixels), sparse.csr_array(np.diag(pixels.sum(axis=0)))
    counts = replace(
        hand_counts([[1, 1, 1, 1]] * 4), target=target, intersection=target, prediction=target, confusion=confusion
    )
    assert choose_images(counts, count=3) == ["image02", "image03", "image01"]
    assert len(choose_images(counts, count=9)) == 4
