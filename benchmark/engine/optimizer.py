"""Optimizer and learning rate, the same for every engine."""

from __future__ import annotations

import math

import torch
from torch import nn

from benchmark.core.budget import Budget


def is_trained(method: nn.Module, budget: Budget) -> bool:
    """Whether there is anything to train and a budget for it."""
    return budget.iterations > 0 and any(parameter.requires_grad for parameter in method.parameters())


def make_optimizer(method: nn.Module, budget: Budget) -> torch.optim.AdamW:
    """AdamW over the trainable parameters, in the order of their names in the module.

    Two groups: matrices and kernels with weight decay; vectors and scalars (biases, norms) without.
    """
    trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": budget.weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=budget.learning_rate)


def learning_rate(budget: Budget, iteration: int) -> float:
    """The rate of one step: a linear rise over the warm-up, then a cosine that reaches 0 one step after the last."""
    warmup = round(budget.warmup * budget.iterations)
    if iteration < warmup:
        return budget.learning_rate * (iteration + 1) / warmup
    progress = (iteration - warmup) / max(1, budget.iterations - warmup)
    return budget.learning_rate * (1 + math.cos(math.pi * progress)) / 2
