"""Tests of the memory of a process."""

from __future__ import annotations

import numpy as np

from benchmark.profiling.process_memory import get_memory_mb, get_peak_memory_mb


def test_freed_memory_is_still_in_the_peak() -> None:
    before = get_memory_mb()
    array = np.ones(8 * 2**20)
    assert get_memory_mb() > before + 60
    del array
    assert get_memory_mb() <= get_peak_memory_mb()
    assert get_peak_memory_mb() > before + 60
