"""Counter and conventions on real masks of VOC, against torchmetrics and against the arithmetic of mmsegmentation."""

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
from benchmark.evaluation.scores import iou, score

MINI = Path(__file__).resolve().parents[3] / "shared" / "data" / "voc12_mini"
IMAGES = 24
SPLIT = load_split("voc12")
K = len(SPLIT.classes)

pytestmark = pytest.mark.skipif(not MINI.is_dir(), reason="real masks of VOC are not beside this checkout")


@cache
def truths() -> tuple[Tensor, ...]:
    """Real masks, background and borders as 255."""
    names = (MINI / "ImageSets" / "Segmentation" / "val.txt").read_text().split()[:IMAGES]
    masks = [np.asarray(Image.open(MINI / "SegmentationClass" / f"{name}.png")).astype(np.int64) for name in names]
    return tuple(torch.from_numpy(np.where((mask == 0) | (mask == 255), 255, mask - 1)) for mask in masks)


@cache
def scores() -> tuple[Tensor, ...]:
    """Noise, in which the right class stands out in most pixels and class 12 is never the best."""
    found = []
    for at, truth in enumerate(truths()):
        noise = torch.randn(K, *truth.shape, generator=torch.Generator().manual_seed(at))
        noise[12] -= 99
        found.append(noise.scatter_add(0, truth.clamp_max(K - 1)[None], torch.full((1, *truth.shape), 1.5)))
    return tuple(found)


@cache
def counts() -> Counts:
    counter = Counter(SPLIT.classes, SPLIT.is_seen)
    for at, (score_map, truth) in enumerate(zip(scores(), truths(), strict=True)):
        counter.update(score_map, truth, image_id=f"{at:03d}")
    return counter.counts()


def areas_as_in_mmsegmentation() -> tuple[NDArray[np.float64], ...]:
    """Intersection, prediction and truth by histogram, as its `intersect_and_union` does."""
    total = [torch.zeros(K, dtype=torch.float64) for _ in range(3)]
    for score_map, truth in zip(scores(), truths(), strict=True):
        guess = score_map.argmax(dim=0)[truth != 255].float()
        right = truth[truth != 255].float()
        for area, values in zip(total, (guess[guess == right], guess, right), strict=True):
            area += torch.histc(values, bins=K, min=0, max=K - 1).double()
    intersection, guessed, true = (area.numpy() for area in total)
    return intersection, guessed, true


def test_counts_are_those_of_torchmetrics() -> None:
    matrix = sum(
        multiclass_confusion_matrix(score_map.argmax(dim=0), truth, num_classes=K, ignore_index=255)
        for score_map, truth in zip(scores(), truths(), strict=True)
    )
    intersection, prediction, truth = counts().totals()
    assert intersection.tolist() == matrix.diag().tolist()
    assert prediction.tolist() == matrix.sum(dim=0).tolist() and truth.tolist() == matrix.sum(dim=1).tolist()


def test_every_labelled_pixel_is_counted_once() -> None:
    assert counts().totals().truth.sum() == sum(int((truth != 255).sum()) for truth in truths())


def absent(true: NDArray[np.float64]) -> Sequence[int]:
    return np.flatnonzero(true == 0).tolist()


def test_iou_of_every_convention_is_worked_out_from_histograms() -> None:
    intersection, guessed, true = areas_as_in_mmsegmentation()
    with np.errstate(invalid="ignore"):
        old = 100 * intersection / (guessed + true - intersection)  # nan where a class is in neither
    new = np.where(true > 0, old, np.nan)
    assert absent(true) and np.isfinite(old[absent(true)]).any()  # else the conventions would agree
    for convention, expected in (("d2-0.6", old), ("mmseg", old), ("d2-main", new)):
        found = iou(*counts().totals(), convention=convention)  # type: ignore[arg-type]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("convention", ["d2-main", "d2-0.6", "mmseg"])
def test_means_and_harmonic_mean_follow_from_it(convention: str) -> None:
    intersection, guessed, true = areas_as_in_mmsegmentation()
    with np.errstate(invalid="ignore"):
        each = 100 * intersection / (guessed + true - intersection)
    each = np.where(true > 0, each, np.nan) if convention == "d2-main" else each
    seen = np.array(SPLIT.is_seen)
    s, u = np.nanmean(each[seen]), np.nanmean(each[~seen])
    s, u = (round(s, 2), round(u, 2)) if convention == "mmseg" else (s, u)
    found = score(counts(), convention)  # type: ignore[arg-type]
    assert (found.miou_seen, found.miou_unseen) == pytest.approx((s, u), abs=1e-9)
    assert found.hiou == pytest.approx(2 * s * u / (s + u), abs=1e-9)
    accuracy = 100 * intersection.sum() / true.sum()
    assert found.pixel_accuracy == pytest.approx(round(accuracy, 2) if convention == "mmseg" else accuracy, abs=1e-9)
