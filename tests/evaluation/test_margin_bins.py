"""Sums and bins of margins against a plain reference: one class at a time, one gamma at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.core import best_classes
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import GAMMAS
from benchmark.evaluation.margin_bins import find_bins, sum_softmax

CLASSES = 23
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def draw(size: tuple[int, int], *, dtype: torch.dtype = torch.float32, is_tied: bool = False) -> Tensor:
    """Return (K, H, W) logits, most of them equal to others if they are tied."""
    logits = 3 * torch.randn(CLASSES, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (logits.clamp(-1, 1).round() if is_tied else logits).to(dtype)


def sum_plainly(logits: Tensor) -> Tensor:
    """Return the softmax denominators (H, W), summed class by class."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    highest, total = logits.amax(dim=0), torch.zeros(logits.shape[1:], dtype=logits.dtype)
    for scores in logits:
        total += (scores - highest).exp()
    return total


def bin_plainly(logits: Tensor, seen: list[bool]) -> tuple[Tensor, Tensor, np.ndarray]:
    """Return the best seen class, the best unseen class and the bin of every pixel, (H, W) each."""
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    ids = [torch.tensor([k for k in range(CLASSES) if seen[k] is flag]) for flag in (True, False)]
    best_seen, best_unseen = (group[(wide[group] == wide[group].amax(dim=0)).int().argmax(dim=0)] for group in ids)
    highest, total = wide.amax(dim=0), sum_plainly(logits).double()
    p, q = ((wide[group].amax(dim=0) - highest).double().exp() for group in ids)
    bins = (torch.tensor(GAMMAS)[:, None, None] <= (p - q) / total).sum(dim=0)
    first = (wide == highest).int().argmax(dim=0)
    return best_seen, best_unseen, torch.where(first == best_seen, bins.clamp(min=101), bins.clamp(max=100)).numpy()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (7, 9), (64, 64)])
@pytest.mark.parametrize("tile_scores", [CLASSES, 20 * CLASSES, 2**17])
def test_sums_are_in_the_order_of_the_classes(
    monkeypatch: pytest.MonkeyPatch, tile_scores: int, size: tuple[int, int], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(best_classes, "TILE_SCORES", tile_scores)
    logits = draw(size, dtype=dtype)
    for chunks in ([logits], logits.split(16), logits.split(1)):
        assert torch.equal(sum_softmax(chunks, logits.amax(dim=0)), sum_plainly(logits))


def test_sums_do_not_depend_on_the_memory_layout() -> None:
    logits = draw((7, 9))
    transposed = logits.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert torch.equal(sum_softmax([transposed], logits.amax(dim=0)), sum_plainly(logits))


def test_bins_count_the_gammas_up_to_a_margin_whatever_its_last_bit() -> None:
    lead = np.concatenate([np.nextafter(GAMMAS, -2), GAMMAS, np.nextafter(GAMMAS, 2)]).clip(-1, 1)
    # a difference so large that the margin is 1 or -1, over a sum that makes it the lead
    logits, total = np.stack([1000 * np.sign(lead), 0 * lead]), 1 / np.abs(lead).clip(1e-300)
    margin = np.copysign(np.abs(np.sign(lead)), lead) / total
    expected = (GAMMAS[:, None] <= margin).sum(axis=0)
    expected = np.where(lead > 0, np.maximum(expected, 101), np.minimum(expected, 100))
    assert find_bins(logits, np.array([[1], [0]]), total).tolist() == expected.tolist()


@pytest.mark.parametrize(("classes", "expected"), [([2, 5], 101), ([5, 2], 100)])
def test_of_equal_logits_the_first_class_wins_at_gamma_zero(classes: list[int], expected: int) -> None:
    assert find_bins(np.zeros((2, 1)), np.array(classes)[:, None], np.full(1, 7.0)).tolist() == [expected]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("is_tied", [False, True])
@pytest.mark.parametrize("gamma", [0, 0.1, -0.25])
def test_counts_are_those_of_a_plain_reference(dtype: torch.dtype, is_tied: bool, gamma: float) -> None:
    seen = [k % 3 > 0 for k in range(CLASSES)]
    logits = draw((19, 23), dtype=dtype, is_tied=is_tied)
    target = torch.randint(0, CLASSES + 1, (19, 23), generator=torch.Generator().manual_seed(1))
    counter = Counter([str(k) for k in range(CLASSES)], seen, gamma=gamma)
    counter.update(logits, target.masked_fill(target == CLASSES, 255), image_id="a")

    *best, bins = bin_plainly(logits, seen)
    labeled = (target < CLASSES).numpy()
    margins = np.zeros((2, CLASSES, len(GAMMAS) + 1), dtype=int)
    for label in best:
        np.add.at(margins[0], (label.numpy()[labeled], bins[labeled]), 1)
        hit = labeled & (label == target).numpy()
        np.add.at(margins[1], (label.numpy()[hit], bins[hit]), 1)
    confusion = np.zeros((CLASSES, CLASSES), dtype=int)
    chosen = np.where(bins > 100 + round(100 * gamma), *(label.numpy() for label in best))
    np.add.at(confusion, (target.numpy()[labeled], chosen[labeled]), 1)

    counts = counter.compute()
    assert (counts.margin_prediction == margins[0]).all() and (counts.margin_intersection == margins[1]).all()
    assert (counts.confusion.toarray() == confusion).all() and (counts.totals.target == confusion.sum(axis=1)).all()
    assert (counts.totals.intersection == confusion.diagonal()).all()
