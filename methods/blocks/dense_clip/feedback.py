"""Attention from a first segmentation: patches of one object attend to each other (ResCLIP's semantic feedback)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-8
"""Added to the sum of a row before the division by it."""


def vote_by_patch(labels: Tensor, *, patch_size: int) -> Tensor:
    """Return the most frequent label of every patch: (H, W) to (H/patch, W/patch).

    Labels are renamed to the index of their first pixel, and the smallest of several wins: the official code prefers
    the first class, which would make the result depend on the order of the names.

    Args:
        labels: (H, W) of at least 0.
        patch_size: Side of a patch in pixels.
    """
    flat = labels.flatten()
    first = torch.full((int(flat.max()) + 1,), len(flat), device=flat.device)
    first.scatter_reduce_(0, flat, torch.arange(len(flat), device=flat.device), "amin")
    patches = first[labels].unfold(0, patch_size, patch_size).unfold(1, patch_size, patch_size)
    return patches.flatten(2).mode(dim=2).values


def connect_patches(labels: Tensor) -> Tensor:
    """Compute how closely patches belong together.

    Patches of one label get 1 if the straight line between them stays within the label; otherwise what the exponential
    of their distance, relative to the largest, leaves of it.

    Args:
        labels: (h, w).

    Returns:
        (h·w, h·w).
    """
    height, width = labels.shape
    rows, columns = (torch.arange(side, device=labels.device) for side in (height, width))
    # the line from (row, column) to (row', column'), at [row, column, row', column']: its rows and columns are tables
    steps = torch.maximum((rows[:, None] - rows).abs()[:, None, :, None], (columns[:, None] - columns).abs()[:, None])
    longest = max(height, width) - 1
    flat = labels.flatten()
    is_within = torch.ones(height, width, height, width, dtype=torch.bool, device=labels.device)
    for index, share in enumerate(torch.linspace(0, 1, longest + 1).tolist()):
        at_rows, at_columns = (_place_between(places, share) for places in (rows, columns))
        passed = flat[at_rows[:, None, :, None] * width + at_columns[:, None]]  # (h, w, h, w)
        is_within &= (passed == labels[:, :, None, None]) | (index > steps)
    is_same = (labels[:, :, None, None] == labels).float()
    connections = torch.where(is_within, is_same, is_same * torch.exp(-steps / longest))
    return connections.view(height * width, -1)


def _place_between(places: Tensor, share: float) -> Tensor:
    """Round what lies at a share of the way between all pairs of places: (n,) to (n, n) long."""
    return (places[:, None] * (1 - share) + places * share).round().long()


def blur_rows(connections: Tensor, *, sigma: float) -> Tensor:
    """Blur the rows of a matrix along its columns, in the order of the patches, and scale them to sum to 1.

    Args:
        connections: (N, N).
        sigma: Standard deviation of the Gaussian in columns.

    Returns:
        (N, N).
    """
    size = min(len(connections), int(6 * sigma + 1))
    size += 1 - size % 2
    offsets = torch.arange(size, device=connections.device) - size // 2
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    blurred = F.conv1d(connections[:, None], kernel.view(1, 1, -1).to(connections), padding=size // 2)[:, 0].relu()
    return blurred / (blurred.sum(dim=1, keepdim=True) + EPS)


def compute_feedback(labels: Tensor, *, sigma: float) -> Tensor:
    """Compute the attention that a segmentation suggests, at most 1.

    Args:
        labels: (h, w) of patches.
        sigma: Standard deviation of the blur in patches.

    Returns:
        (h·w, h·w), rounded to half precision as in the official code.
    """
    feedback = blur_rows(connect_patches(labels), sigma=sigma)
    return (feedback / feedback.max()).half().float()


def find_labels(logits: Tensor, *, temperature: float, threshold: float, fallback: int | None) -> Tensor:
    """Return the most probable class of every pixel.

    Args:
        logits: Cosines (K, H, W).
        temperature: Inverse temperature of the softmax.
        threshold: Smallest probability of a class that is sure.
        fallback: Class of the other pixels; None for a label K of their own.

    Returns:
        (H, W) long.
    """
    probabilities, labels = (temperature * logits).softmax(dim=0).max(dim=0)
    return labels.masked_fill(probabilities < threshold, len(logits) if fallback is None else fallback)
