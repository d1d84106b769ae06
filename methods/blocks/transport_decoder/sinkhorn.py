"""Multi-Prompts Sinkhorn of OTSeg (arXiv 2403.14183): the texts of a class divide the patches of an image.

Notation: N patches, T texts, both with uniform masses, cost 1 - cosine.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.transport_decoder.config import TransportConfig

MASS_MARGIN = 1e-8
"""Number that the official code adds to the masses before it takes their logarithm."""


def compute_transport(similarity: Tensor, config: TransportConfig | None) -> Tensor:
    """Compute the transport plan from patches to texts, with gradients through all iterations.

    The iterations are those of the dual potentials from zero. Their exponentials are multiplied here, which gives the
    same plan: the largest cost is 2, so that nothing leaves the range of float32.

    Args:
        similarity: Cosines, (..., N, T).
        config: Entropy and iterations; None for a softmax of each patch over the texts with the temperature 0.05,
            scaled to the masses of a plan.

    Returns:
        (..., N, T) masses, whose sum over N and T is 1.
    """
    num_patches, num_texts = similarity.shape[-2:]
    if config is None:
        return (similarity / TransportConfig().epsilon).softmax(dim=-1) / num_patches
    kernel = torch.exp((similarity - 1) / config.epsilon)
    rows, columns = 1 / num_patches + MASS_MARGIN, 1 / num_texts + MASS_MARGIN
    row_scale, column_scale = torch.ones_like(kernel[..., :1]), torch.ones_like(kernel[..., :1, :]).mT
    for _ in range(config.iterations):
        before = row_scale
        row_scale = rows / (kernel @ column_scale)  # (..., N, 1)
        column_scale = columns / (kernel.mT @ row_scale)  # (..., T, 1)
        change = (row_scale.detach().log() - before.detach().log()).abs().mean() * config.epsilon
        if config.tolerance and change < config.tolerance:
            break
    plan: Tensor = row_scale * kernel * column_scale.mT
    return plan


def score_transport(patches: Tensor, texts: Tensor, config: TransportConfig | None) -> tuple[Tensor, Tensor]:
    """Score classes at patches by the texts that are transported there.

    Args:
        patches: (B, N, D).
        texts: (B, K, T, D).
        config: Entropy and iterations; see `compute_transport`.

    Returns:
        Scores (B, K, N), the cosines of a class's texts weighted by N·T times their masses, and the plan (B, K, N, T).
    """
    with torch.autocast(patches.device.type, enabled=False):
        unit_patches, unit_texts = F.normalize(patches.float(), dim=-1), F.normalize(texts.float(), dim=-1)
        similarity = torch.einsum("bnd,bktd->bknt", unit_patches, unit_texts)
        plan = compute_transport(similarity, config)
        return (similarity * plan).sum(dim=-1) * (plan.shape[-2] * plan.shape[-1]), plan
