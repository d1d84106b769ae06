"""Kind of machine that an attempt ran on, as a compute report names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.core.environment import Environment
from benchmark.report.compute.attempt_times import AttemptTime


@dataclass(frozen=True, order=True)
class MachineKind:
    """Kind of machine.

    Attributes:
        name: Name of the GPU, or of the processor of a run without one.
        is_gpu: Whether it is a GPU.
        threads: CPU threads of torch; 0 if unknown.
    """

    name: str
    is_gpu: bool = False
    threads: int = 0

    def __str__(self) -> str:
        """Return the kind in one phrase."""
        threads = f", {self.threads} thread" + ("s" if self.threads > 1 else "")
        return self.name + (threads if self.threads and not self.is_gpu else "")


UNKNOWN = MachineKind("not recorded")


def find_machines(attempts: Sequence[AttemptTime]) -> list[MachineKind]:
    """Return the kind of machine of every attempt at a run.

    An attempt without a record ran on the kind of another one on the same host; otherwise its kind is unknown.
    """
    own = [_describe(attempt.environment) if attempt.environment is not None else None for attempt in attempts]
    known = {attempt.host: kind for attempt, kind in zip(attempts, own, strict=True) if kind is not None}
    known.pop("", None)  # hosts that are not known are not the same
    return [kind or known.get(attempt.host, UNKNOWN) for attempt, kind in zip(attempts, own, strict=True)]


def _describe(environment: Environment) -> MachineKind:
    gpu = environment.machine.gpu
    if gpu is not None:
        return MachineKind(gpu.name, is_gpu=True, threads=environment.threads)
    name = environment.machine.cpu_name or environment.device
    return MachineKind(f"CPU {name}", threads=environment.threads)
