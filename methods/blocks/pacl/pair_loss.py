"""PACL's patch-text compatibility and its loss over all pairs of a batch (arXiv 2212.04994)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 256
"""Texts whose pooled patches are computed together; all pairs of a large batch would need too much memory."""


def compute_compatibility(
    patches: Tensor, texts: Tensor, *, pooling_scale: float = 1.0, is_valid: Tensor | None = None
) -> Tensor:
    """Compute φ(x, t) = cos(Σ_i a_i v_i, t) with a = softmax_i(cos(v_i, t)) for all pairs of images and texts.

    Args:
        patches: v, (N, P, D), not normalized.
        texts: t, (M, D) unit vectors.
        pooling_scale: Factor of the cosines in the softmax; the paper has none, which is 1.
        is_valid: (N, P) bool, patches that show the image; None for all.

    Returns:
        (N, M).
    """
    parts = [_compare(patches, part, pooling_scale, is_valid) for part in texts.split(CHUNK)]
    return torch.cat(parts, dim=1)


def _compare(patches: Tensor, texts: Tensor, pooling_scale: float, is_valid: Tensor | None) -> Tensor:
    cosines = torch.einsum("npd,md->nmp", F.normalize(patches, dim=2), texts)
    logits = pooling_scale * cosines
    if is_valid is not None:
        logits = logits.masked_fill(~is_valid[:, None], -torch.inf)
    pooled = torch.einsum("nmp,npd->nmd", logits.softmax(dim=2), patches)
    return torch.einsum("nmd,md->nm", F.normalize(pooled, dim=2), texts)


def compute_pair_loss(compatibility: Tensor, *, same: Tensor, scale: Tensor) -> Tensor:
    """Compute the symmetric InfoNCE; an image whose text is also that of other images shares its target with them.

    Args:
        compatibility: φ, (N, N), the text of image i in column i.
        same: (N, N) bool, pairs of equal texts, with a true diagonal. If nothing else is true, the loss is InfoNCE.
        scale: () inverse temperature.

    Returns:
        () loss.
    """
    logits, target = scale * compatibility, same.float() / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
