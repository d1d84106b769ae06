"""The processes of one run, and the communication between them. A single process does not communicate."""

from __future__ import annotations

import logging
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from benchmark.utils.paths import ROOT

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rank:
    """Position of a process among the processes of a run.

    Attributes:
        index: Number of the process, from 0; only process 0 writes files.
        size: Number of processes; 1 for a process that works alone, whatever the number of micro-batches.
    """

    index: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files of the run."""
        return self.index == 0

    @property
    def is_alone(self) -> bool:
        """Whether the run has no other process."""
        return self.size == 1


def find_rank(micro_batches: int, environment: Mapping[str, str]) -> Rank:
    """Return the rank of this process from the environment variables of a task started by `srun`.

    Args:
        micro_batches: Number of micro-batches of the run. A run with 1 micro-batch has one process, in any job.
        environment: Environment variables of this process.

    Raises:
        ValueError: The job has several tasks, but not one for each micro-batch.
    """
    tasks = environment.get("SLURM_NTASKS", "1")
    if micro_batches == 1 or tasks == "1":
        return Rank()
    is_srun_task = "SLURM_STEP_ID" in environment  # a batch script has SLURM_PROCID too, but is the only process
    if tasks == str(micro_batches) and is_srun_task:
        return Rank(int(environment["SLURM_PROCID"]), micro_batches)
    raise ValueError(
        f"budget.micro_batches={micro_batches}, but this job has {tasks} tasks (SLURM_NTASKS): "
        f"start 1 task, or {micro_batches} with srun"
    )


class ProcessLostError(KeyboardInterrupt):
    """Another process of the run has ended.

    This is an interruption and not a failure of the run: the run can resume.
    """


@dataclass(frozen=True)
class _RemoteFailure:
    """Description of an exception in another process, as not every exception can be pickled."""

    message: str


class ProcessGroup:
    """The processes of a run. Each process calls the same methods in the same order.

    Args:
        rank: Rank of this process; the communication uses the default group of `torch.distributed`.
    """

    def __init__(self, rank: Rank) -> None:
        self.rank = rank

    def gather_results(self, work: Callable[[], T]) -> list[T]:
        """Run a function in every process and return the results of all processes in the order of the ranks.

        Raises:
            Exception: The function failed in this process.
            RuntimeError: The function failed in another process; the message names the process and its error.
            ProcessLostError: A process has ended.
        """
        if self.rank.is_alone:
            return [work()]
        try:
            value = work()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too, or the other processes would wait for this one
            self._gather_objects(_RemoteFailure(_describe_failure(error)))
            raise
        values = self._gather_objects(value)
        for index, result in enumerate(values):
            if isinstance(result, _RemoteFailure):
                raise RuntimeError(f"process {index} of {self.rank.size} failed: {result.message}")
        return values

    def run_collectively(self, work: Callable[[], T]) -> T:
        """Run a function in every process and return the result of this process; raises like `gather_results`."""
        own_results: list[T] = []
        self.gather_results(lambda: own_results.append(work()))
        return own_results[0]

    def is_any(self, condition: bool) -> bool:
        """Return whether a condition holds in at least one process."""
        return any(self.gather_results(lambda: condition))

    def wait_for_all(self) -> None:
        """Wait until every process has called this method."""
        self.gather_results(lambda: None)

    def gather_tensors(self, tensor: Tensor) -> list[Tensor]:
        """Return the tensors of all processes in the order of the ranks.

        Args:
            tensor: Tensor of this process, of any shape that is the same in all processes.

        Returns:
            One tensor of that shape per process.
        """
        if self.rank.is_alone:
            return [tensor]
        gathered = [torch.empty_like(tensor) for _ in range(self.rank.size)]
        with _detect_lost_process():
            dist.all_gather(gathered, tensor.contiguous())
        return gathered

    def broadcast_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors in every process with their content in the first process.

        Args:
            tensors: Tensors of any shapes and types, the same in all processes.
        """
        if self.rank.is_alone or not tensors:
            return
        packed = torch.cat([_view_as_bytes(tensor) for tensor in tensors])
        with _detect_lost_process():
            dist.broadcast(packed, src=0)
        pieces = packed.split([tensor.numel() * tensor.element_size() for tensor in tensors])
        for tensor, piece in zip(tensors, pieces, strict=True):
            # a clone is aligned in memory, which a view of another type requires
            tensor.copy_(piece.clone().view(tensor.dtype).view_as(tensor))

    def _gather_objects(self, value: Any) -> list[Any]:
        values: list[Any] = [None] * self.rank.size
        with _detect_lost_process():
            dist.all_gather_object(values, value)
        return values


def _describe_failure(error: BaseException) -> str:
    """Describe an exception in one line, with the deepest line of a file that is neither ours nor installed."""
    frames = traceback.extract_tb(error.__traceback__)
    installed = (ROOT / "benchmark", *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")))
    outside = [frame for frame in frames if not any(map(Path(frame.filename).is_relative_to, installed))]
    found = f"{Path(outside[-1].filename).name}:{outside[-1].lineno}" if outside else ""
    place = getattr(error, "place", "") or found
    return f"{type(error).__name__}{f' in {place}' if place else ''}: {' '.join(str(error).split())}"


def _view_as_bytes(tensor: Tensor) -> Tensor:
    """View a tensor of N elements of S bytes as (N * S,) uint8."""
    return tensor.contiguous().flatten().view(torch.uint8)


@contextmanager
def _detect_lost_process() -> Iterator[None]:
    """Convert an error of the communication to `ProcessLostError`."""
    try:
        yield
    except RuntimeError as error:
        _log.warning("another process of this run has ended: %s", error)
        raise ProcessLostError("another process of this run has ended") from error
