"""Counts by compiled loops, by NumPy and by plain loops are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmark.core.full_size_scores import load_kernels
from benchmark.evaluation import pixel_counts
from benchmark.evaluation.candidates import Candidates
from benchmark.evaluation.counts import GAMMAS
from benchmark.evaluation.pixel_counts import count_candidates, count_pairs, has_unknown_labels

CLASSES, PIXELS, BINS = 7, 500, len(GAMMAS) + 1
DRAW = np.random.default_rng(0)
LABELS = DRAW.choice([*range(CLASSES), 255], PIXELS)


@pytest.fixture(params=["compiled", "NumPy"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "NumPy":
        monkeypatch.setattr(pixel_counts, "load_kernels", lambda: None)
    elif load_kernels() is None:
        pytest.skip("Numba is not installed or does not work here")


@pytest.mark.parametrize(("label", "expected"), [(0, False), (6, False), (255, False), (7, True), (-1, True)])
def test_labels_are_classes_or_ignored(label: int, expected: bool) -> None:
    assert has_unknown_labels(np.append(LABELS, label), classes=CLASSES, ignore=255) is expected


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_labeled_pixels_are_counted_by_label_and_prediction(dtype: type[np.integer[Any]]) -> None:
    prediction, expected = DRAW.integers(0, CLASSES, PIXELS).astype(dtype), np.zeros((CLASSES, CLASSES), int)
    for label, predicted in zip(LABELS, prediction, strict=True):
        if label != 255:
            expected[label, predicted] += 1
    assert count_pairs(LABELS, prediction, classes=CLASSES, ignore=255).tolist() == expected.ravel().tolist()


@pytest.mark.parametrize("threshold", [0, 100, 130])
def test_both_candidates_of_labeled_pixels_are_counted_by_margin(threshold: int) -> None:
    classes = np.stack([DRAW.integers(0, 4, PIXELS), DRAW.integers(4, 7, PIXELS)])
    bins = DRAW.integers(0, BINS, PIXELS)
    margins, expected = np.ones((CLASSES, 2, BINS), dtype=np.int64), np.ones((CLASSES, 2, BINS), dtype=np.int64)
    for label, *both, margin in zip(LABELS, *classes, bins, strict=True):
        for candidate in both if label != 255 else ():
            expected[candidate, int(candidate == label), margin] += 1
    candidates = Candidates(classes.reshape(2, 20, 25), bins.reshape(20, 25))
    pairs = count_candidates(LABELS, candidates, threshold=threshold, ignore=255, margins=margins)
    chosen = np.where(bins > threshold, classes[0], classes[1])
    assert np.array_equal(margins, expected)
    assert np.array_equal(pairs, count_pairs(LABELS, chosen, classes=CLASSES, ignore=255))
