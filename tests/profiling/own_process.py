"""Measurements of memory in a process of their own.

A process that has freed memory before takes new arrays from what it kept, and its memory stays the same. The workers of
a test suite have freed gigabytes.
"""

from __future__ import annotations

import subprocess
import sys

from benchmark.utils.paths import ROOT


def measure(script: str) -> list[float]:
    """Run a script in a new process and return the numbers that it prints."""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.split()]
