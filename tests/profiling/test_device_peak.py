"""Stated peaks by name of the device, and the measured one."""

from __future__ import annotations

import pytest
import torch

from benchmark.profiling import device_peak
from benchmark.profiling.device_peak import find_stated_tflops, measure_matmul_tflops


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989.4),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989.4),
        ("NVIDIA H200 NVL", 835.5),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", None),
        ("NVIDIA A10", 125),
        ("NVIDIA A10G", None),
        ("NVIDIA GeForce RTX 3090", 71),
        ("NVIDIA GeForce RTX 3090 Ti", None),
        ("Tesla V100-SXM2-16GB", None),
    ],
)
def test_the_stated_peak_is_that_of_the_device(name: str, tflops: float | None) -> None:
    assert find_stated_tflops(name) == tflops


def test_the_measured_peak_is_operations_over_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1.0, 3.0])
    monkeypatch.setitem(device_peak.MATRIX_SIDES, "cpu", 100)
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    assert measure_matmul_tflops(torch.device("cpu")) == pytest.approx(10 * 2 * 100**3 / 2 / 1e12)
