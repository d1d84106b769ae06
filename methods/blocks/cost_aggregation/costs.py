"""Cost volumes: cosines of dense image features and class embeddings, and their embedding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOWEST_SCORE = -100.0
"""Score of classes that were not selected."""


def compute_costs(dense: Tensor, embeddings: Tensor) -> Tensor:
    """Compute cosines in float32, or in float64 if the features are float64.

    Args:
        dense: (B, D, h, w) of any length.
        embeddings: (K, T, D) of any length, T for each class.

    Returns:
        (B, K, T, h, w).
    """
    precise = torch.promote_types(dense.dtype, torch.float32)
    with torch.autocast(dense.device.type, enabled=False):
        units = F.normalize(dense.to(precise), dim=1), F.normalize(embeddings.to(precise), dim=2)
        return torch.einsum("bdhw,ktd->bkthw", *units)


def select_classes(costs: Tensor, *, slots: int) -> Tensor | None:
    """Select the classes of each image whose largest cost over all positions is highest.

    Args:
        costs: (B, K, T, h, w).
        slots: Number of classes to select.

    Returns:
        (B, slots) indices; None if there are no more classes than slots.
    """
    if costs.shape[1] <= slots:
        return None
    return costs.flatten(2).amax(dim=2).topk(slots, dim=1).indices


def gather_classes(values: Tensor, classes: Tensor | None) -> Tensor:
    """Take selected classes of each image: (B, K, …) and (B, N) to (B, N, …); all classes if the selection is None."""
    if classes is None:
        return values
    index = classes.view(*classes.shape, *[1] * (values.ndim - 2)).expand(-1, -1, *values.shape[2:])
    return values.gather(1, index)


def scatter_classes(logits: Tensor, classes: Tensor | None, *, count: int) -> Tensor:
    """Return logits (B, N, h, w) of selected classes as those of all (B, K, h, w); the others get the lowest score.

    Args:
        logits: (B, N, h, w).
        classes: (B, N) indices; None if all classes were selected.
        count: Number K of all classes.
    """
    if classes is None:
        return logits
    everything = logits.new_full((len(logits), count, *logits.shape[2:]), LOWEST_SCORE)
    index = classes[:, :, None, None].expand_as(logits)
    return everything.scatter(1, index, logits)


class CostEmbedding(nn.Module):
    """Embedding of the cost map of each class by one 7 x 7 convolution.

    Args:
        texts: Number T of costs per class and position.
        width: Channels C.
    """

    def __init__(self, *, texts: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(texts, width, kernel_size=7, padding=3)

    def forward(self, costs: Tensor) -> Tensor:
        """Embed costs (B, K, T, h, w): (B, K, h, w, C)."""
        embedded: Tensor = self.convolution(costs.flatten(0, 1))
        maps: Tensor = embedded.unflatten(0, costs.shape[:2]).permute(0, 1, 3, 4, 2)
        return maps
