"""Tests of overlays, error maps and palettes."""

from __future__ import annotations

import numpy as np

from benchmark.core.split import Split
from benchmark.qualitative.legend import MIN_SIDE
from benchmark.qualitative.overlay import (
    IGNORED,
    RIGHT,
    WRONG_SEEN,
    WRONG_UNSEEN,
    draw_errors,
    draw_overlay,
    find_errors,
)
from benchmark.qualitative.palette import make_palette, make_voc_color

SPLIT = Split(name="s", dataset="d", classes=("a", "b", "c"), unseen=("b",))


def test_errors_are_told_apart_by_the_class_of_the_target() -> None:
    target = np.array([[0, 1, 2, 255], [0, 1, 2, 255]])
    labels = np.array([[0, 1, 2, 0], [1, 0, -1, 1]])
    assert find_errors(labels, target, SPLIT).tolist() == [
        [RIGHT, RIGHT, RIGHT, IGNORED],
        [WRONG_SEEN, WRONG_UNSEEN, WRONG_SEEN, IGNORED],
    ]


def test_colors_are_those_of_voc() -> None:
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 15: (192, 128, 128), 20: (0, 64, 128)}
    assert {label: make_voc_color(label) for label in known} == known


def test_a_class_keeps_its_color_whatever_the_split() -> None:
    with_background = make_palette(["b", "a"], dataset_classes=["background", "a", "b"])
    without = make_palette(["b", "a"], dataset_classes=["a", "b"])
    assert with_background.tolist() == without.tolist() == [[0, 128, 0], [128, 0, 0]]


def test_small_images_are_enlarged_and_pixels_of_no_class_keep_their_color() -> None:
    rgb = np.full((64, 50, 3), 100, dtype=np.uint8)
    labels = np.zeros((64, 50), dtype=np.int64)
    labels[:, 10:] = -1
    palette = make_palette(SPLIT.classes, dataset_classes=SPLIT.classes)
    overlay = draw_overlay(rgb, labels, palette=palette, split=SPLIT)
    assert overlay.shape[0] == MIN_SIDE and overlay.shape[1] > 4 * 50
    assert overlay[0, 0].tolist() == [round(0.4 * 100 + 0.6 * 128), 40, 40]
    assert overlay[0, 4 * 30].tolist() == [100, 100, 100]


def test_an_error_map_has_a_color_for_each_kind() -> None:
    drawn = draw_errors(np.array([[RIGHT, WRONG_SEEN, WRONG_UNSEEN, IGNORED]] * 64, dtype=np.uint8))
    assert len(np.unique(drawn[0, : 4 * 4].reshape(-1, 3), axis=0)) == 4
