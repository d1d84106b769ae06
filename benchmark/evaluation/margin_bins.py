"""Margin of every pixel between its best seen and its best unseen class, in bins of the calibration offsets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.best_classes import split_pixels
from benchmark.evaluation.counts import GAMMAS

Labels: TypeAlias = NDArray[np.signedinteger[Any]]
ZERO = int(np.flatnonzero(GAMMAS == 0)[0])
"""Index of gamma 0, and the number of gammas from there to 1."""


def sum_softmax(chunks: Iterable[Tensor], highest: Tensor) -> Tensor:
    """Return the denominator (H, W) of the softmax, in float32 at least.

    Args:
        chunks: (k, H, W) logits of consecutive classes, all classes together.
        highest: (H, W) highest logit, subtracted so that exp cannot overflow.
    """
    highest = highest.to(torch.promote_types(highest.dtype, torch.float32))
    total = torch.zeros(highest.shape, dtype=highest.dtype, device=highest.device)
    for chunk in chunks:
        if chunk.device.type == "cpu":
            _add_in_order(chunk.flatten(1), highest.view(-1), total.view(-1).numpy())
        else:  # few operations, as starting one takes longer than the operation
            total += (chunk.to(total.dtype) - highest).exp_().sum(dim=0)
    return total


def find_bins(logits: NDArray[Any], classes: Labels, total: NDArray[Any]) -> Labels:
    """Return the margin bin of every pixel: the number of `GAMMAS` at which the seen class still wins.

    The margin is p(best seen class) - p(best unseen class), where p is the softmax over all classes. Its sign is that
    of the logits, so that rounding in the softmax cannot move a pixel across gamma = 0.

    Args:
        logits: (2, ...) highest logit of a seen and of an unseen class.
        classes: (2, ...) classes of these logits.
        total: (...) sum of e^(logit - highest logit) over all classes.

    Returns:
        (...) bins.
    """
    # Whether the argmax is a seen class; of equal logits the first class wins
    difference = logits[0] - logits[1]
    seen_wins = (difference > 0) | ((difference == 0) & (classes[0] < classes[1]))

    # Margin in -1 … 1, in float64
    behind = torch.from_numpy(np.abs(difference)).double().neg_().exp_().numpy()  # NumPy's exp has other last bits
    margin = np.copysign((1 - behind) / total, difference)

    # Number of gammas up to the margin: the nearest one may be above it
    nearest = np.rint(margin * ZERO).astype(np.int32) + ZERO
    bins: Labels = nearest + (GAMMAS.take(nearest) <= margin)
    return np.where(seen_wins, bins, np.minimum(bins, ZERO))


def _add_in_order(chunk: Tensor, highest: Tensor, total: NDArray[Any]) -> None:
    """Add e^(logit - highest logit) on the CPU, class by class, so that the bits do not depend on the chunks.

    Args:
        chunk: (k, P) logits.
        highest: (P,) highest logit.
        total: (P,) sum so far, changed in place.
    """
    for tile in split_pixels(*chunk.shape):
        # One class after the other in memory, as NumPy would otherwise add in pairs
        terms = (chunk[:, tile].to(highest.dtype) - highest[tile]).exp_().contiguous().numpy()  # (k, p)
        terms[0] += total[tile]
        if terms.shape[1] == 1:  # in one column, NumPy would add in pairs
            terms = terms.repeat(2, axis=1)
        total[tile] = np.add.reduce(terms, axis=0)[: total[tile].size]
