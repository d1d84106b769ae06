"""The suite's optimizer where a loop of Detectron2 wants one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from benchmark.core.budget import Budget
from benchmark.engine.optimizer import make_optimizer


def adamw(*, params: Mapping[str, nn.Module], lr: float, weight_decay: float, clip_norm: float) -> torch.optim.AdamW:
    """AdamW in our two groups; before each step it scales the gradient of all parameters down to a norm.

    Args:
        params: {"model": what is trained}, as lazyconfig_train_net.py hands it over.
        lr: rate that schedules multiply.
        weight_decay: of matrices and kernels.
        clip_norm: upper bound of the norm.

    Raises:
        ValueError: nothing of the model is trained.
    """
    model = params["model"]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained:
        raise ValueError("no parameter of this model is trained: give --eval-only")
    optimizer = make_optimizer(model, Budget(learning_rate=lr, weight_decay=weight_decay))

    def clip(*_: Any) -> None:
        torch.nn.utils.clip_grad_norm_(trained, clip_norm, error_if_nonfinite=True)

    optimizer.register_step_pre_hook(clip)
    return optimizer
