"""Tests of the memory of a process."""

from __future__ import annotations

from tests.profiling.own_process import measure

FREED = """
import numpy as np
from benchmark.profiling.process_memory import get_memory_mb, get_peak_memory_mb

before = get_memory_mb()
array = np.ones(8 * 2**20)
during = get_memory_mb()
del array
print(before, during, get_memory_mb(), get_peak_memory_mb())
"""


def test_freed_memory_is_still_in_the_peak() -> None:
    before, during, after, peak = measure(FREED)
    assert during > before + 60
    assert after <= peak and peak > before + 60
