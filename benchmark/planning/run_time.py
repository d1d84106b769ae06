"""Estimated time and memory of a run, with what they are based on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class RunTime:
    """Time and memory of one run; a value that is computed is a range, one that is measured has equal ends.

    Attributes:
        seconds: Lowest and highest number of seconds.
        is_gpu: Whether the run takes a GPU.
        threads: CPU threads of the run.
        basis: What the numbers are based on, in a few words.
        kind: "measured", "extrapolated" or "computed".
        explanation: What was measured, or what the computation assumes.
        memory_gb: Lowest and highest memory; None if it is unknown.
        verdict: Whether the run fits into the memory that was asked about; empty if none was.
        facts: The measured values, for JSON.
    """

    seconds: tuple[float, float]
    is_gpu: bool
    threads: int
    basis: str
    kind: str
    explanation: str
    memory_gb: tuple[float, float] | None = None
    verdict: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """What an hour is an hour of: of a GPU, or of a CPU core per thread."""
        return "GPU-hours" if self.is_gpu else "CPU-hours"

    def compute_hours(self, runs: int) -> tuple[float, float]:
        """Return the lowest and highest number of hours of some runs, in the unit."""
        factor = runs * (1 if self.is_gpu else self.threads) / SECONDS_PER_HOUR
        return self.seconds[0] * factor, self.seconds[1] * factor
