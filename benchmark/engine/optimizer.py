"""Optimizer and learning rate schedule, the same for every engine."""

from __future__ import annotations

import math

import torch
from torch import nn

from benchmark.core.budget import Budget


def is_trained(method: nn.Module, budget: Budget) -> bool:
    """Return whether the budget allows training and the method has trainable parameters."""
    return budget.iterations > 0 and any(parameter.requires_grad for parameter in method.parameters())


def make_optimizer(method: nn.Module, budget: Budget) -> torch.optim.AdamW:
    """Make an AdamW optimizer over the trainable parameters, in the order of registration.

    The optimizer has up to two groups: matrices and kernels with weight decay; vectors and scalars (biases, norms)
    without weight decay.

    The optimizer is the fused one: the other one takes square roots with MKL, whose result on a CPU depends on the
    vendor's approximation of 1 / sqrt(x).
    """
    trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": budget.weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=budget.learning_rate, fused=True)


def compute_learning_rate(budget: Budget, iteration: int) -> float:
    """Compute the learning rate of an iteration.

    The rate rises linearly over the warm-up, then falls as a cosine that reaches 0 one step after the last iteration.
    """
    warmup = round(budget.warmup * budget.iterations)
    if iteration < warmup:
        return budget.learning_rate * (iteration + 1) / warmup
    progress = (iteration - warmup) / max(1, budget.iterations - warmup)
    return budget.learning_rate * (1 + math.cos(math.pi * progress)) / 2
