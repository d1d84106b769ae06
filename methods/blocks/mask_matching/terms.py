"""Mask terms of one pair of masks, and of all pairs of predicted and target masks.

The pairwise form, without gradients, is the cost of a match; the paired form is the loss of the matched masks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from methods.blocks.binary_focal import ALPHA, GAMMA
from methods.blocks.mask_matching.config import MaskTerm
from methods.blocks.softplus import compute_binary_cross_entropy, compute_softplus


def compute_pairwise_pixel_term(logits: Tensor, targets: Tensor, *, term: MaskTerm, valid: Tensor | None) -> Tensor:
    """Compute the mean over pixels of the pixel loss for all pairs.

    Args:
        logits: (B, Q, P) mask logits.
        targets: (B, M, P) in 0-1.
        term: Loss of a pixel.
        valid: (B, P) bool, pixels that count; None for all.

    Returns:
        (B, Q, M).
    """
    inside, outside = compute_softplus(-logits), compute_softplus(logits)
    if term == "focal":
        probabilities = logits.sigmoid()
        inside = ALPHA * (1 - probabilities) ** GAMMA * inside
        outside = (1 - ALPHA) * probabilities**GAMMA * outside
    weights = torch.ones_like(logits[:, :1]) if valid is None else valid[:, None].to(logits)  # (B, 1, P)
    positive, negative = targets * weights, (1 - targets) * weights
    sums = torch.einsum("bqp,bmp->bqm", inside, positive) + torch.einsum("bqp,bmp->bqm", outside, negative)
    return sums / weights.sum(dim=-1, keepdim=True).clamp_min(1)


def compute_pairwise_dice(logits: Tensor, targets: Tensor, *, valid: Tensor | None) -> Tensor:
    """Compute 1 - dice, smoothed by one pixel, for all pairs; shapes as in `compute_pairwise_pixel_term`."""
    probabilities = logits.sigmoid()
    if valid is not None:
        probabilities, targets = probabilities * valid[:, None], targets * valid[:, None]
    overlap = torch.einsum("bqp,bmp->bqm", probabilities, targets)
    total = probabilities.sum(dim=-1)[:, :, None] + targets.sum(dim=-1)[:, None, :]
    return 1 - (2 * overlap + 1) / (total + 1)


def compute_pixel_term(logits: Tensor, targets: Tensor, *, term: MaskTerm, valid: Tensor | None) -> Tensor:
    """Compute the mean over pixels of the pixel loss of each pair.

    Args:
        logits: (N, P) mask logits.
        targets: (N, P) in 0-1.
        term: Loss of a pixel.
        valid: (N, P) bool, pixels that count; None for all.

    Returns:
        (N,).
    """
    losses = compute_binary_cross_entropy(logits, targets)
    if term == "focal":
        probabilities = logits.sigmoid()
        error = probabilities + targets - 2 * probabilities * targets  # 1 - probability of the target
        losses = (1 - ALPHA - (1 - 2 * ALPHA) * targets) * error**GAMMA * losses
    if valid is None:
        return losses.mean(dim=1)
    return (losses * valid).sum(dim=1) / valid.sum(dim=1).clamp_min(1)


def compute_dice(logits: Tensor, targets: Tensor, *, valid: Tensor | None) -> Tensor:
    """Compute 1 - dice, smoothed by one pixel, of each pair; shapes as in `compute_pixel_term`."""
    probabilities = logits.sigmoid()
    if valid is not None:
        probabilities, targets = probabilities * valid, targets * valid
    overlap = (probabilities * targets).sum(dim=1)
    return 1 - (2 * overlap + 1) / (probabilities.sum(dim=1) + targets.sum(dim=1) + 1)
