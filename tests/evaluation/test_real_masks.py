"""Tests of counter and conventions on real VOC masks, against torchmetrics and the arithmetic of mmsegmentation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from benchmark.core.split import load_split
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import compute_iou, score

MINI = Path(__file__).resolve().parents[3] / "shared" / "data" / "voc12_mini"
IMAGES = 24
SPLIT = load_split("voc12")
K = len(SPLIT.classes)

pytestmark = pytest.mark.skipif(not MINI.is_dir(), reason="the real masks of VOC are not next to this checkout")


@cache
def targets() -> tuple[Tensor, ...]:
    """Return real masks with background and borders as 255."""
    names = (MINI / "ImageSets" / "Segmentation" / "val.txt").read_text().split()[:IMAGES]
    masks = [np.asarray(Image.open(MINI / "SegmentationClass" / f"{name}.png")).astype(np.int64) for name in names]
    return tuple(torch.from_numpy(np.where((mask == 0) | (mask == 255), 255, mask - 1)) for mask in masks)


@cache
def scores() -> tuple[Tensor, ...]:
    """Return noise in which the labeled class stands out in most pixels and class 12 is never the best."""
    maps = []
    for at, target in enumerate(targets()):
        noise = torch.randn(K, *target.shape, generator=torch.Generator().manual_seed(at))
        noise[12] -= 99
        maps.append(noise.scatter_add(0, target.clamp_max(K - 1)[None], torch.full((1, *target.shape), 1.5)))
    return tuple(maps)


@cache
def counts() -> Counts:
    counter = Counter(SPLIT.classes, SPLIT.is_seen)
    for at, (score_map, target) in enumerate(zip(scores(), targets(), strict=True)):
        counter.update(score_map, target, image_id=f"{at:03d}")
    return counter.compute()


def compute_areas_like_mmsegmentation() -> tuple[NDArray[np.float64], ...]:
    """Return intersection, prediction and target by histogram, like its `intersect_and_union`."""
    total = [torch.zeros(K, dtype=torch.float64) for _ in range(3)]
    for score_map, target in zip(scores(), targets(), strict=True):
        predicted = score_map.argmax(dim=0)[target != 255].float()
        labels = target[target != 255].float()
        for area, values in zip(total, (predicted[predicted == labels], predicted, labels), strict=True):
            area += torch.histc(values, bins=K, min=0, max=K - 1).double()
    return tuple(area.numpy() for area in total)


def test_counts_are_those_of_torchmetrics() -> None:
    matrix = sum(
        multiclass_confusion_matrix(score_map.argmax(dim=0), target, num_classes=K, ignore_index=255)
        for score_map, target in zip(scores(), targets(), strict=True)
    )
    intersection, prediction, target = counts().totals
    assert intersection.tolist() == matrix.diag().tolist()
    assert prediction.tolist() == matrix.sum(dim=0).tolist() and target.tolist() == matrix.sum(dim=1).tolist()


def test_every_labeled_pixel_is_counted_once() -> None:
    assert counts().totals.target.sum() == sum(int((target != 255).sum()) for target in targets())


def find_absent(target: NDArray[np.float64]) -> Sequence[int]:
    return np.flatnonzero(target == 0).tolist()


def test_iou_of_every_convention_equals_that_of_histograms() -> None:
    intersection, prediction, target = compute_areas_like_mmsegmentation()
    with np.errstate(invalid="ignore"):
        old = 100 * intersection / (prediction + target - intersection)  # nan where a class is in neither
    new = np.where(target > 0, old, np.nan)
    assert find_absent(target) and np.isfinite(old[find_absent(target)]).any()  # else the conventions would agree
    for convention, expected in (("d2-0.6", old), ("mmseg", old), ("d2-main", new)):
        actual = compute_iou(*counts().totals, convention=convention)  # type: ignore[arg-type]
        np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize("convention", ["d2-main", "d2-0.6", "mmseg"])
def test_means_and_harmonic_mean_equal_those_of_histograms(convention: str) -> None:
    intersection, prediction, target = compute_areas_like_mmsegmentation()
    with np.errstate(invalid="ignore"):
        iou = 100 * intersection / (prediction + target - intersection)
    iou = np.where(target > 0, iou, np.nan) if convention == "d2-main" else iou
    seen = np.array(SPLIT.is_seen)
    s, u = np.nanmean(iou[seen]), np.nanmean(iou[~seen])
    s, u = (round(s, 2), round(u, 2)) if convention == "mmseg" else (s, u)
    actual = score(counts(), convention)  # type: ignore[arg-type]
    assert (actual.miou_seen, actual.miou_unseen) == pytest.approx((s, u), abs=1e-9)
    assert actual.hiou == pytest.approx(2 * s * u / (s + u), abs=1e-9)
    accuracy = 100 * intersection.sum() / target.sum()
    assert actual.pixel_accuracy == pytest.approx(round(accuracy, 2) if convention == "mmseg" else accuracy, abs=1e-9)
