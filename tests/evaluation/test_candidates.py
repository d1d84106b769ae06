"""Tests of counts by compiled loops against those by torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.core import compiled_scores, lazy_scores
from benchmark.core.compiled_scores import CompiledScores, load_kernels
from benchmark.core.lazy_scores import LowResPrediction
from benchmark.evaluation import candidates
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts

CLASSES, HEIGHT, WIDTH = 40, 120, 301

pytestmark = pytest.mark.skipif(load_kernels() is None, reason="Numba is not installed or does not work here")


@pytest.fixture(autouse=True)
def chunks_of_a_few_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small predictions count as large ones."""
    monkeypatch.setattr(lazy_scores, "CHUNK_SCORES", 1)


def draw(scale: float, *, seed: int = 0) -> LowResPrediction:
    logits = scale * torch.randn(1, CLASSES, 15, 38, generator=torch.Generator().manual_seed(seed))
    sizes = {"padded_size": (120, 304), "image_size": (118, 300), "output_size": (HEIGHT, WIDTH)}
    return LowResPrediction(low_res=logits, **sizes)


def count(prediction: LowResPrediction, *, gamma: float = 0, is_split: bool = True) -> Counts:
    counter = Counter(
        [str(k) for k in range(CLASSES)], [not is_split or k % 3 > 0 for k in range(CLASSES)], gamma=gamma
    )
    labels = torch.randint(0, CLASSES + 1, (HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1))
    counter.update(prediction, labels.masked_fill(labels == CLASSES, 255), image_id="a")
    return counter.compute()


def count_by_torch(prediction: LowResPrediction, monkeypatch: pytest.MonkeyPatch, *, gamma: float = 0) -> Counts:
    with monkeypatch.context() as patch:
        patch.setattr(compiled_scores, "load_kernels", lambda: None)
        return count(prediction, gamma=gamma)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [0, 0.003, 0.3, 2, 30, 300, 1e6])
def test_counts_are_those_of_torch(monkeypatch: pytest.MonkeyPatch, scale: float, seed: int) -> None:
    prediction = draw(scale, seed=seed)
    assert count(prediction) == count_by_torch(prediction, monkeypatch)


@pytest.mark.parametrize("gamma", [-0.2, 0.1])
def test_labels_at_another_gamma_are_those_of_torch(monkeypatch: pytest.MonkeyPatch, gamma: float) -> None:
    assert count(draw(2), gamma=gamma) == count_by_torch(draw(2), monkeypatch, gamma=gamma)


def test_bins_that_are_not_certain_are_found_by_the_sums_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, read = [], CompiledScores.read_pixels

    def record(self: CompiledScores, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
        numbers.append(len(rows))
        return read(self, rows, columns)

    monkeypatch.setattr(CompiledScores, "read_pixels", record)
    assert count(draw(3)) == count_by_torch(draw(3), monkeypatch)
    assert 0 < sum(numbers) < HEIGHT * WIDTH / 50


def test_uncertain_sums_are_never_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    find = CompiledScores.find_best_and_total

    def disturb(self: CompiledScores, groups: list[list[int]]) -> object:
        best, label, total, error = find(self, groups)
        return best, label, total * 1.001, error + 0.0011

    monkeypatch.setattr(CompiledScores, "find_best_and_total", disturb)
    monkeypatch.setattr(candidates, "MAX_DOUBTFUL_SHARE", 1)
    assert count(draw(2)) == count_by_torch(draw(2), monkeypatch)


def test_torch_computes_all_sums_if_many_bins_are_not_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MAX_DOUBTFUL_SHARE", -1)
    assert count(draw(2)) == count_by_torch(draw(2), monkeypatch)


def test_one_group_is_counted_without_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CompiledScores, "find_best_and_total", None)
    counts = count(draw(2), is_split=False)
    assert counts.totals.prediction.sum() == counts.totals.target.sum() > 0 and not counts.has_sweep
