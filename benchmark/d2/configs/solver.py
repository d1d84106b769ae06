"""Optimizer of the benchmark for Detectron2's training loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from benchmark.core.budget import Budget
from benchmark.engine.optimizer import make_optimizer


def build_adamw(
    *, params: Mapping[str, nn.Module], lr: float, weight_decay: float, clip_norm: float
) -> torch.optim.AdamW:
    """Build AdamW with the benchmark's two parameter groups; it clips the norm of all gradients before each step.

    Args:
        params: Model to train, under the key "model", as lazyconfig_train_net.py passes it.
        lr: Learning rate, which schedules multiply.
        weight_decay: Weight decay of matrices and kernels.
        clip_norm: Largest norm of all gradients together.

    Raises:
        ValueError: The model has no trainable parameter.
    """
    model = params["model"]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained:
        raise ValueError("this model has no trainable parameter: pass --eval-only")
    optimizer = make_optimizer(model, Budget(learning_rate=lr, weight_decay=weight_decay))

    def clip(*_: Any) -> None:
        torch.nn.utils.clip_grad_norm_(trained, clip_norm, error_if_nonfinite=True)

    optimizer.register_step_pre_hook(clip)
    return optimizer
