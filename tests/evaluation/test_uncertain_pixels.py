"""Tests of counts of dense predictions by compiled loops against those by torch, above all of uncertain pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.core import full_size_scores
from benchmark.core.full_size_scores import FullSizeScores, load_kernels
from benchmark.evaluation import candidates, pixel_counts, uncertain_pixels
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.uncertain_pixels import MarginCorrections, UncertainPixels

CLASSES, HEIGHT, WIDTH = 40, 60, 47
SEEN = [k % 3 > 0 for k in range(CLASSES)]

pytestmark = pytest.mark.skipif(load_kernels() is None, reason="Numba is not installed or does not work here")


def draw(scale: float, *, number: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [scale * torch.randn(CLASSES, HEIGHT, WIDTH, generator=generator) for _ in range(number)]


def count(images: list[Tensor], *, gamma: float = 0) -> Counts:
    counter = Counter([str(k) for k in range(CLASSES)], SEEN, gamma=gamma)
    generator = torch.Generator().manual_seed(1)
    for number, scores in enumerate(images):
        labels = torch.randint(0, CLASSES + 1, (HEIGHT, WIDTH), generator=generator)
        counter.update(scores, labels.masked_fill(labels == CLASSES, 255), image_id=str(number))
    return counter.compute()


def count_by_torch(images: list[Tensor], monkeypatch: pytest.MonkeyPatch, *, gamma: float = 0) -> Counts:
    with monkeypatch.context() as patch:
        for module in (full_size_scores, pixel_counts):
            patch.setattr(module, "load_kernels", lambda: None)
        return count(images, gamma=gamma)


def disturb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make sums wrong within a larger bound, so that about a tenth of the pixels are uncertain."""
    find = FullSizeScores.find_best_and_total

    def find_roughly(self: FullSizeScores, groups: list[list[int]]) -> object:
        found = find(self, groups)
        assert found is not None
        best, label, total, error = found
        return best, label, total * 1.001, error + 0.0011

    monkeypatch.setattr(FullSizeScores, "find_best_and_total", find_roughly)
    monkeypatch.setattr(candidates, "MAX_DOUBTFUL_SHARE", 1)


@pytest.mark.parametrize("gamma", [0, 0.1, -0.2])
@pytest.mark.parametrize("scale", [0, 0.003, 0.3, 2, 30, 300, 1e30])
def test_counts_are_those_of_torch(monkeypatch: pytest.MonkeyPatch, scale: float, gamma: float) -> None:
    assert count(draw(scale), gamma=gamma) == count_by_torch(draw(scale), monkeypatch, gamma=gamma)


@pytest.mark.parametrize("gamma", [0, 0.1])
@pytest.mark.parametrize("limit", [0, 2**12, 2**20])
def test_uncertain_sums_are_never_trusted(monkeypatch: pytest.MonkeyPatch, limit: int, gamma: float) -> None:
    expected = count_by_torch(draw(2), monkeypatch, gamma=gamma)
    disturb(monkeypatch)
    monkeypatch.setattr(uncertain_pixels, "MAX_SCORES", limit)
    assert count(draw(2), gamma=gamma) == expected


def test_torch_sums_the_pixels_of_many_images_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, find = [], UncertainPixels.find_bins

    def record(self: UncertainPixels) -> object:
        numbers.append(self.scores.shape[1])
        return find(self)

    monkeypatch.setattr(UncertainPixels, "find_bins", record)
    images = draw(2, number=20)
    assert count(images) == count_by_torch(images, monkeypatch)
    assert len(numbers) == 1 and 5 < numbers[0] < 20 * HEIGHT * WIDTH / 100


def test_counts_can_be_computed_between_images(monkeypatch: pytest.MonkeyPatch) -> None:
    disturb(monkeypatch)
    counter, zeros = Counter([str(k) for k in range(CLASSES)], SEEN), torch.zeros(HEIGHT, WIDTH, dtype=torch.long)
    for number, scores in enumerate(draw(2)):
        counter.update(scores, zeros, image_id=str(number))
        counts = counter.compute()
        assert counts == counter.compute() and (counts.margin_prediction >= 0).all()
        assert counts.margin_prediction.sum() == 2 * (number + 1) * HEIGHT * WIDTH


def test_uncertain_pixels_without_a_label_are_not_counted() -> None:
    margins = np.zeros((2, 2, 202), dtype=np.int64)
    margins[[0, 1], [0, 1], 90] = 1  # the pixel of class 1
    corrections, tie = MarginCorrections(margins, ignore=255), np.zeros((2, 2), np.float32)
    pixels = UncertainPixels(np.array([0, 2]), tie, tie, np.array([[0, 0], [1, 1]], np.int32), np.array([90, 90]))
    corrections.add(np.array([1, 0, 255]), pixels)
    corrections.apply()
    assert np.argwhere(margins).tolist() == [[0, 0, 101], [1, 1, 101]]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_scores_that_are_not_finite_are_refused_and_leave_the_counter_unchanged(value: float) -> None:
    counter, (scores, *_) = Counter([str(k) for k in range(CLASSES)], SEEN), draw(2)
    scores[5, 7, :2] = value
    with pytest.raises(ValueError, match=f"2 of {CLASSES * HEIGHT * WIDTH} logits of image 'x' are not finite"):
        counter.update(scores, torch.zeros(HEIGHT, WIDTH, dtype=torch.long), image_id="x")
    assert counter.compute() == Counter([str(k) for k in range(CLASSES)], SEEN).compute()
