"""Copies of batches to a device."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark.engine.device import move_to_device
from tests.wrappers.test_sliding_window import make_sample


def test_copies_to_a_gpu_are_only_started(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def pin(tensor: Tensor) -> Tensor:
        calls.append("pin")
        return tensor

    def copy(tensor: Tensor, device: torch.device, *, non_blocking: bool) -> Tensor:
        calls.append((device.type, non_blocking))
        return tensor

    monkeypatch.setattr(Tensor, "pin_memory", pin)
    monkeypatch.setattr(Tensor, "to", copy)
    move_to_device([make_sample(torch.zeros(3, 2, 2))], torch.device("cuda"))
    assert calls == ["pin", ("cuda", True)]


def test_a_copy_to_the_cpu_needs_no_gpu() -> None:
    (moved,) = move_to_device([make_sample(torch.zeros(3, 2, 2, dtype=torch.uint8))], torch.device("cpu"))
    assert moved["image"].dtype is torch.float32
