"""Calibration of batch norms."""

from __future__ import annotations

import torch
from torch import nn

from methods.blocks.calibration import calibrate_batch_norms

BATCHES = torch.randn(3, 8, 2, 5, 5, generator=torch.Generator().manual_seed(0)) * 4 + 7


def test_running_statistics_are_the_means_over_the_batches() -> None:
    norm = nn.BatchNorm2d(2)
    norm(BATCHES[0] * 9)  # is forgotten
    with calibrate_batch_norms(nn.Sequential(norm)):
        for batch in BATCHES:
            norm(batch)
    torch.testing.assert_close(norm.running_mean, BATCHES.mean(dim=(0, 1, 3, 4)))
    torch.testing.assert_close(norm.running_var, torch.stack([batch.var(dim=(0, 2, 3)) for batch in BATCHES]).mean(0))


def test_afterwards_the_momentum_is_the_old_one() -> None:
    norm = nn.BatchNorm2d(2, momentum=0.03)
    with calibrate_batch_norms(norm):
        norm(BATCHES[0])
    assert norm.momentum == 0.03


def test_batch_norms_in_eval_mode_stay_unchanged() -> None:
    norm = nn.BatchNorm2d(2).eval()
    with calibrate_batch_norms(norm):
        norm(BATCHES[0])
    assert torch.equal(norm.state_dict()["running_mean"], torch.zeros(2)) and norm.momentum == 0.1
