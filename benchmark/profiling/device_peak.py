"""Peak speed of a device in bfloat16: what its maker states, and what a large product of matrices reaches."""

from __future__ import annotations

import torch

from benchmark.profiling.device_clock import read_clock_s

STATED_TFLOPS = {
    "B200": 2250.0,
    "H200 NVL": 835.5,
    "H200": 989.4,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.5,
    "H100": 989.4,
    "A100": 312.0,
    "A40": 149.7,
    "A30": 165.0,
    "A10": 125.0,
    "L40S": 362.0,
    "L4": 121.0,
    "RTX 4090": 165.2,
    "RTX 3090": 71.0,
}
"""Dense bfloat16 TFLOP/s in the data sheets of NVIDIA, by a part of the device's name; the first that fits counts."""
OTHER_DEVICES = frozenset({"D", "Laptop", "MIG", "Ti"})
"""Words of the names of slices and variants, whose peaks are others."""
MATRIX_SIDES = {"cuda": 8192, "cpu": 512}
"""Rows and columns of the matrices, by type of device."""
REPEATS = 10
"""Products that are timed."""


def find_stated_tflops(device_name: str) -> float | None:
    """Return the stated bfloat16 TFLOP/s of a device; None if the table does not have it."""
    words = device_name.replace("-", " ").split()
    if not OTHER_DEVICES.isdisjoint(words):
        return None
    return next((tflops for name, tflops in STATED_TFLOPS.items() if _occurs(name.split(), words)), None)


def measure_matmul_tflops(device: torch.device) -> float:
    """Measure the TFLOP/s of a product of two large square bfloat16 matrices."""
    side = MATRIX_SIDES[device.type]
    left, right = (torch.randn(side, side, device=device).bfloat16() for _ in range(2))
    for _ in range(2):
        left @ right
    begin_s = read_clock_s(device)
    for _ in range(REPEATS):
        left @ right
    return REPEATS * 2 * side**3 / (read_clock_s(device) - begin_s) / 1e12


def _occurs(part: list[str], words: list[str]) -> bool:
    """Return whether all words of a name occur in another, in this order and next to each other."""
    return any(words[start : start + len(part)] == part for start in range(len(words)))
