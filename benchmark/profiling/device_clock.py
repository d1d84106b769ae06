"""Time on a device: a GPU is waited for before the clock is read."""

from __future__ import annotations

import time

import torch


def synchronize(device: torch.device) -> None:
    """Wait until a device has done all work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def read_clock_s(device: torch.device) -> float:
    """Return the time in seconds, once a device has done all work."""
    synchronize(device)
    return time.perf_counter()
