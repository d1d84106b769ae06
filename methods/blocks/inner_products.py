"""The classifier of all methods: inner products of dense embeddings with class embeddings, in float32."""

from __future__ import annotations

import torch
from torch import Tensor

EXCLUDED_LOGIT = -1e4
"""Logit of a class or region that is left out: below all others, with a probability of zero and no gradient."""


def compute_inner_products(dense: Tensor, text: Tensor) -> Tensor:
    """Compute the inner product of every position with every class, in float32 even under autocast.

    In bfloat16, which has 8 significant bits, the best two of many classes would often have the same score.

    Args:
        dense: (B, D, h, w).
        text: Class embeddings (K, D), or (B, K, D) of each image.

    Returns:
        (B, K, h, w).
    """
    with torch.autocast(dense.device.type, enabled=False):
        classes = text.float().expand(len(dense), -1, -1)  # (B, K, D)
        return torch.einsum("bdhw,bkd->bkhw", dense.float(), classes)
