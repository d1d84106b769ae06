"""Tests of scores per image, per class and of the worst cases, against numbers by hand and slow loops."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import sparse

from benchmark.evaluation.counts import GAMMAS, Counts, Integers
from benchmark.evaluation.image_scores import WORST_PERCENT, leave_out_image_scores, score_metrics
from benchmark.evaluation.scores import DATASET_METRICS, IMAGE_METRICS, METRICS, ImageMetric, score

# Three images and the classes a, b, c; every wrong pixel is predicted as the next class, of c as a.
TARGET = np.array([[10, 10, 0], [10, 0, 0], [0, 20, 0]])
CORRECT = np.array([[5, 10, 0], [8, 0, 0], [0, 5, 0]])
# IoUs: a in image 0: 5 / 10; b there: 10 / 15; a in image 1: 8 / 10; b in image 2: 5 / 20
BY_HAND = {
    "miou_image": 100 * ((1 / 2 + 2 / 3) / 2 + 4 / 5 + 1 / 4) / 3,
    "miou_class": 100 * ((1 / 2 + 4 / 5) / 2 + (2 / 3 + 1 / 4) / 2) / 2,
    "miou_image_worst_5": 25.0,
    "miou_image_worst_1": 25.0,
    "miou_class_worst_5": 100 * (1 / 2 + 1 / 4) / 2,
    "miou_class_worst_1": 100 * (1 / 2 + 1 / 4) / 2,
}


def counts_of(correct: Integers, target: Integers) -> Counts:
    wrong, classes = target - correct, target.shape[1]
    none = np.zeros((classes, len(GAMMAS) + 1), dtype=np.int64)
    confusion = np.diag(correct.sum(axis=0)) + np.roll(np.diag(wrong.sum(axis=0)), 1, axis=1)
    rows = [sparse.csr_array(matrix) for matrix in (correct, correct + np.roll(wrong, 1, axis=1), target)]
    ids, names = ([f"{index:04}" for index in range(number)] for number in target.shape)
    seen = tuple(index > 0 for index in range(classes))
    return Counts(tuple(ids), tuple(names), seen, rows[0], rows[1], rows[2], none, none, sparse.csr_array(confusion))


def draw_counts(images: int, *, classes: int = 4, seed: int = 0) -> Counts:
    rng = np.random.default_rng(seed)
    target = rng.integers(1, 50, (images, classes)) * (rng.random((images, classes)) < 0.5)
    return counts_of(rng.binomial(target, rng.random((images, classes))), target)


def score_slowly(counts: Counts, images: Sequence[int], metric: ImageMetric) -> float:
    """Score some images by loops over images and classes."""
    target, both, prediction = (m.toarray() for m in (counts.target, counts.intersection, counts.prediction))
    ious = {
        (i, k): 100 * both[i, k] / (prediction[i, k] + target[i, k] - both[i, k])
        for i in images
        for k in np.flatnonzero(target[i])
    }
    axis = 0 if metric.startswith("miou_image") else 1
    groups = [[iou for place, iou in ious.items() if place[axis] == key] for key in {place[axis] for place in ious}]
    groups = [[float(np.mean(group)) for group in groups]] if axis == 0 else groups
    percent = WORST_PERCENT.get(metric, 100)
    worst = [sorted(group)[: max(1, int(percent / 100 * len(group)))] for group in groups if group]
    return float(np.mean([np.mean(group) for group in worst])) if worst else math.nan


def test_scores_equal_those_worked_out_by_hand() -> None:
    assert score_metrics(counts_of(CORRECT, TARGET), metrics=IMAGE_METRICS, convention="d2-main") == pytest.approx(
        BY_HAND
    )


@pytest.mark.parametrize("metric", IMAGE_METRICS)
@pytest.mark.parametrize("images", [7, 60, 240])
def test_scores_equal_a_slow_loop(metric: ImageMetric, images: int) -> None:
    counts = draw_counts(images)
    expected = score_slowly(counts, range(images), metric)
    assert score_metrics(counts, metrics=[metric], convention="mmseg")[metric] == pytest.approx(expected)


@pytest.mark.parametrize("metric", IMAGE_METRICS)
@pytest.mark.parametrize("images", [1, 2, 7, 41])
def test_leaving_out_an_image_equals_scoring_the_others(metric: ImageMetric, images: int) -> None:
    counts = draw_counts(images, classes=5, seed=images)
    others = [[image for image in range(images) if image != left] for left in range(images)]
    expected = [score_slowly(counts, rows, metric) for rows in others]
    assert leave_out_image_scores(counts, metrics=[metric])[metric] == pytest.approx(expected, nan_ok=True)


def test_a_class_predicted_where_it_is_not_counts_only_in_the_other_classes() -> None:
    target, correct = np.array([[10, 0, 0], [10, 10, 0]]), np.array([[0, 0, 0], [10, 10, 0]])
    scores = score_metrics(counts_of(correct, target), metrics=["miou_image", "miou_class"], convention="d2-0.6")
    assert scores == {"miou_image": 50.0, "miou_class": 75.0}


def test_images_without_a_labeled_pixel_count_nowhere() -> None:
    empty = np.zeros((1, 3), dtype=np.int64)
    counts = counts_of(np.vstack([CORRECT, empty]), np.vstack([TARGET, empty]))
    assert score_metrics(counts, metrics=IMAGE_METRICS, convention="d2-main") == pytest.approx(BY_HAND)


def test_without_any_labeled_pixel_nothing_is_defined() -> None:
    empty = np.zeros((2, 3), dtype=np.int64)
    scores = score_metrics(counts_of(empty, empty), metrics=METRICS, convention="d2-main")
    assert list(scores) == list(METRICS) and all(math.isnan(value) for value in scores.values())


def test_scores_of_the_dataset_are_those_of_score() -> None:
    counts = draw_counts(9)
    expected = {metric: getattr(score(counts, "mmseg"), metric) for metric in DATASET_METRICS}
    assert score_metrics(counts, metrics=DATASET_METRICS, convention="mmseg") == expected
