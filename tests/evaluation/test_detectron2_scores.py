"""Tests of Detectron2's results from counts, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.detectron2_scores import compute_sem_seg_results

CLASSES = ("owl", "dog", "cat", "bee")


def count(prediction: list[int], target: list[int]) -> Counts:
    """Count one row of pixels."""
    counter = Counter(CLASSES, [True, True, False, False])
    scores = torch.nn.functional.one_hot(torch.tensor([prediction]), len(CLASSES)).permute(2, 0, 1).float()
    counter.update(scores, torch.tensor([target]), image_id="a")
    return counter.compute()


# owl: 3 of 4 found; dog: 1 of 1 found, plus 1 pixel of owl; cat: predicted, never a target; bee: neither
COUNTS = count(prediction=[0, 0, 0, 1, 1, 2], target=[0, 0, 0, 0, 1, 255])
WRONG = count(prediction=[0, 0, 0, 2, 1, 2], target=[0, 0, 0, 0, 1, 255])


def test_iou_and_accuracy_per_class_are_in_percent() -> None:
    results = compute_sem_seg_results(COUNTS, "d2-main")["sem_seg"]
    assert (results["IoU-owl"], results["IoU-dog"]) == (75, 50)
    assert (results["ACC-owl"], results["ACC-dog"]) == (75, 100)
    assert math.isnan(results["IoU-cat"]) and math.isnan(results["ACC-bee"])


def test_means_are_over_classes_pixels_and_shares_of_pixels() -> None:
    results = compute_sem_seg_results(COUNTS, "d2-main")["sem_seg"]
    assert results["mIoU"] == 62.5 and results["mACC"] == 87.5 and results["pACC"] == 80
    assert results["fwIoU"] == pytest.approx(75 * 0.8 + 50 * 0.2)


def test_a_class_predicted_without_ground_truth_counts_only_in_the_older_convention() -> None:
    main, old = (compute_sem_seg_results(WRONG, convention)["sem_seg"]["mIoU"] for convention in ("d2-main", "d2-0.6"))
    assert main == (75 + 100) / 2
    assert old == pytest.approx((75 + 100 + 0) / 3)


def test_names_are_in_the_order_of_detectron2() -> None:
    expected = ["mIoU", "fwIoU", *(f"IoU-{name}" for name in CLASSES), "mACC", "pACC"]
    assert list(compute_sem_seg_results(COUNTS, "d2-0.6")["sem_seg"]) == [
        *expected,
        *(f"ACC-{name}" for name in CLASSES),
    ]


def test_without_a_labeled_pixel_no_mean_is_defined() -> None:
    results = compute_sem_seg_results(count(prediction=[0], target=[255]), "d2-main")["sem_seg"]
    assert all(math.isnan(results[name]) for name in ("mIoU", "mACC", "pACC", "IoU-owl"))


def test_a_convention_foreign_to_detectron2_is_refused() -> None:
    with pytest.raises(ValueError, match="'mmseg'"):
        compute_sem_seg_results(COUNTS, "mmseg")
