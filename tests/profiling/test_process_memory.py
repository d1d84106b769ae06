"""Tests of the memory of a process."""

from __future__ import annotations

import subprocess
import sys

from benchmark.utils.paths import ROOT

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
    # a process of its own: one that has freed memory before takes the array from what it kept
    done = subprocess.run([sys.executable, "-c", FREED], cwd=ROOT, capture_output=True, text=True, check=True)
    before, during, after, peak = map(float, done.stdout.split())
    assert during > before + 60
    assert after <= peak and peak > before + 60
