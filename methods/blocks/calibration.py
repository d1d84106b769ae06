"""Calibration of batch norms, whose running statistics are those of the data before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def calibrate_batch_norms(module: nn.Module) -> Iterator[None]:
    """Replace running statistics by the means over the batches that a module sees in this context.

    In training mode, a batch norm uses the statistics of each batch, and moves its running ones by a tenth towards
    them: after few batches, those of a fresh layer would still be mostly 0 and 1. Batch norms in eval mode, such as
    frozen ones, stay unchanged.

    Args:
        module: Module in training mode, called with at least one batch.
    """
    norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm) and norm.training]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
