"""What holds for every test: one thread, no accelerator, no network, no screen. Set before anything imports torch."""

from __future__ import annotations

import gc
import os

import pytest
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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Return one worker more than there are processors, since some tests wait for daemons and other processes."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # the number that it says
    return len(os.sched_getaffinity(0)) + 1


def pytest_configure() -> None:
    """Collect no garbage while tests are collected, which makes a million objects that stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from now on, but only among the objects of tests."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)  # a tenth as often as by default, which took 5 % of the time
    gc.enable()
