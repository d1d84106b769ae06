"""The terms of the loss of MCFA (a reconstruction of arXiv 2312.07221), as functions of features and labels.

Notation: f(p) are the features of the student at a point p, g(p) those of CLIP at the pixel that shows it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def compute_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the mean cross-entropy of labeled points.

    Args:
        logits: (N, K).
        labels: (N,) long; -1 without a label.

    Returns:
        () loss, 0 if no point is labeled.
    """
    total = F.cross_entropy(logits.float(), labels, ignore_index=-1, reduction="sum")
    return total / (labels >= 0).sum().clamp_min(1)


def choose_pseudo_labels(logits: Tensor, *, is_candidate: Tensor, threshold: float) -> Tensor:
    """Choose the likeliest unseen class of each candidate, if its probability among them is above a threshold.

    Args:
        logits: (N, U) logits of unseen classes.
        is_candidate: (N,) bool, unlabeled points that a pixel shows.
        threshold: Smallest accepted probability, exclusive.

    Returns:
        (N,) long index of an unseen class; -1 for no pseudo label.
    """
    probability, label = logits.softmax(dim=1).max(dim=1)
    return torch.where(is_candidate & (probability > threshold), label, -1)


def compute_local_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Compute the mean of 1 - cos(f(p), g(p)) over points: (N, D) each to (), 0 if there is no point."""
    distances = 1 - F.cosine_similarity(student.float(), teacher.float(), dim=1)
    return distances.sum() / max(1, len(distances))


def compute_global_distance(student: Tensor, image: Tensor, class_tokens: Tensor) -> Tensor:
    """Compute the mean over images of 1 - cos(mean of f(p) / |f(p)|, class token).

    Args:
        student: f of visible points, (N, D).
        image: (N,) long, index of the image of each point.
        class_tokens: (B, D) embeddings of the images.

    Returns:
        () loss; images without a point are left out, and 0 if none has one.
    """
    unit = F.normalize(student.float(), dim=1)
    pooled = unit.new_zeros(class_tokens.shape).index_add(0, image, unit)
    count = torch.bincount(image, minlength=len(class_tokens))
    distances = 1 - F.cosine_similarity(pooled, class_tokens.float(), dim=1)
    return (distances * (count > 0)).sum() / (count > 0).sum().clamp_min(1)
