"""What a process holds, as the system tells it."""

from __future__ import annotations

import numpy as np

from benchmark.profiling.process_memory import memory_mb, peak_memory_mb


def test_memory_that_was_given_back_stays_in_the_peak() -> None:
    before = memory_mb()
    held = np.ones(8 * 2**20)
    assert memory_mb() > before + 60
    del held
    assert memory_mb() <= peak_memory_mb()
    assert peak_memory_mb() > before + 60
