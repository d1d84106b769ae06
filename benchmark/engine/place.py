"""Which part of a run falls to this process. SLURM's variables say so; they are read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One of the processes that work on a run together.

    Attributes:
        rank: from 0; the first alone writes.
        size: how many there are; 1 for a process that works alone, however many micro_batches the run has.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no other process."""
        return self.size == 1


def find_place(micro_batches: int, variables: Mapping[str, str]) -> Place:
    """The place of a process in a run, from the environment variables of a task that `srun` started.

    A run with one shard is worked on alone, whatever job the process belongs to.

    Raises:
        ValueError: the job has several tasks, but not one for each micro_batch.
    """
    tasks = variables.get("SLURM_NTASKS", "1")
    if micro_batches == 1 or tasks == "1":
        return Place()
    is_step = "SLURM_STEP_ID" in variables  # a batch script has a rank as well, but nobody beside it
    if tasks == str(micro_batches) and is_step:
        return Place(int(variables["SLURM_PROCID"]), micro_batches)
    raise ValueError(
        f"budget.micro_batches={micro_batches}, but this job has {tasks} tasks (SLURM_NTASKS): start 1 task, or {micro_batches} with srun"
    )
