"""What holds for every test: one thread, no accelerator, no network, no screen. Set before anything imports torch."""

from __future__ import annotations

import os

from hypothesis import settings

import benchmark  # noqa: F401  pins the instruction set before a test imports torch

os.environ |= {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",  # ours, not torch's default: the workers of xdist share the processors already
}
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
