"""Batches of samples, read in this process or by worker processes; both give the same batches.

Worker processes pass batches on as bytes through a pipe and not as shared memory, which needs sockets below $TMPDIR,
space in /dev/shm and an open file per tensor: where these are short, a batch would be lost and waited for without end.
If worker processes cannot be started, this process reads. A read that makes no progress is given up, see
`benchmark.utils.watchdog`.
"""

from __future__ import annotations

import logging
import multiprocessing
import re
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from benchmark.core.seeding import torch_generator
from benchmark.core.types import Batch, Sample
from benchmark.data.compiled_pixels import load_kernels
from benchmark.data.samplers import SampleKey
from benchmark.utils.processes import measure_cpu_s
from benchmark.utils.watchdog import Watchdog

JOIN_S = 2.0
"""Seconds that a killed worker process may take to end."""
_ADVICE = "request more memory, or use fewer workers"
_KILLED = re.compile(r"worker \(pid (\d+)\) is killed by signal: Killed")
"""Message of torch's signal handler, which raises while workers are started."""

_log = logging.getLogger(__name__)


class LoadingError(RuntimeError):
    """A data-loading worker has ended; the message says how."""


def load_batches(
    samples: TorchDataset[Sample],
    keys: Iterable[list[SampleKey]],
    *,
    workers: int,
    describe: Callable[[SampleKey], str],
) -> Iterator[Batch]:
    """Yield a batch for each list of keys, in order.

    Args:
        samples: Samples by key; picklable.
        keys: Keys of the samples in each batch.
        workers: Number of worker processes; 0 reads in this process.
        describe: Function that returns the name of a sample's image.

    Raises:
        LoadingError: A worker process has ended.
        StalledError: A read made no progress for too long.
    """
    if workers:
        pool = _start_workers(samples, keys, workers=workers)
        if pool is not None:
            yield from _receive(pool, describe)
            return
    yield from _read_here(samples, keys, describe)


def _read_here(
    samples: TorchDataset[Sample], keys: Iterable[list[SampleKey]], describe: Callable[[SampleKey], str]
) -> Iterator[Batch]:
    """Yield batches that this process reads."""
    watchdog, current = Watchdog(time.process_time), deque[SampleKey](maxlen=1)
    with watchdog.open():
        for batch in keys:
            with watchdog.watch(lambda: f"reading {describe(current[-1])}"):
                read: Batch = []
                for key in batch:
                    current.append(key)
                    read.append(samples[key])
            yield read


@dataclass(frozen=True)
class _WorkerPool:
    """Worker processes that read batches.

    Attributes:
        batches: Packed batches in order.
        processes: The worker processes.
        requested: Keys of the batches that were requested and not received yet, oldest first.
    """

    batches: Iterator[list[dict[str, Any]]]
    processes: Sequence[BaseProcess]
    requested: deque[list[SampleKey]]

    def measure_cpu_s(self) -> float | None:
        """Return the processor time of the worker processes in seconds; None if it is unknown."""
        return measure_cpu_s(process.pid or 0 for process in self.processes)

    def kill(self) -> None:
        """Kill the worker processes; one that hangs in a read would keep this process from ending."""
        for process in self.processes:
            process.kill()

    def end(self) -> None:
        """Kill the worker processes and wait for them."""
        self.kill()
        for process in self.processes:
            process.join(JOIN_S)

    def describe_dead(self) -> str:
        """Describe a worker process that died; empty if all are alive or ended in order."""
        codes = {process.pid: process.exitcode for process in self.processes if process.exitcode}
        for pid, code in codes.items():
            if code == -signal.SIGKILL:
                return _describe_killed(pid)
            return f"data-loading worker {pid} ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}"
        return ""


@dataclass
class _Requests:
    """Keys of batches that remembers which were requested.

    Attributes:
        keys: Keys of every batch.
        requested: Keys of the batches that were requested and not received yet, oldest first.
    """

    keys: Iterable[list[SampleKey]]
    requested: deque[list[SampleKey]] = field(default_factory=deque)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        for batch in self.keys:
            self.requested.append(batch)
            yield batch


def _start_workers(
    samples: TorchDataset[Sample], keys: Iterable[list[SampleKey]], *, workers: int
) -> _WorkerPool | None:
    """Start worker processes; None, and a warning, if the system does not allow them."""
    load_kernels()  # 58 MB that all workers share if they are forked afterwards
    requests, others = _Requests(keys), set(multiprocessing.active_children())
    loader: DataLoader[Sample] = DataLoader(
        samples,
        batch_sampler=requests,
        num_workers=workers,
        collate_fn=_pack,
        # its own generator: a DataLoader without one draws from torch's global stream whenever it starts
        generator=torch_generator("loader"),
    )
    try:
        with _keep_child_handler():
            batches = iter(loader)
    except (OSError, RuntimeError) as error:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        if isinstance(error, RuntimeError):  # such as that of torch's signal handler, if a worker has died already
            death = _read_death(error)
            if not death:
                raise
            raise LoadingError(death) from error
        reason = error.strerror or str(error)
        _log.warning("%d data-loading workers cannot be started (%s): this process reads the images", workers, reason)
        return None
    processes = tuple(set(multiprocessing.active_children()) - others)
    return _WorkerPool(batches, processes, requests.requested)


@contextmanager
def _keep_child_handler() -> Iterator[None]:
    """Undo that a loader handles SIGCHLD: torch's handler raises the error of a dead worker wherever this process is.

    A loader that waits for a batch looks after its workers every few seconds, and that error is expected.
    """
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGCHLD, handler)


def _describe_killed(pid: int | str | None) -> str:
    return f"data-loading worker {pid} was killed from outside, or for lack of memory: {_ADVICE}"


def _read_death(error: RuntimeError) -> str:
    """Describe the worker that torch says was killed, which may have been forgotten since; empty for other errors."""
    killed = _KILLED.search(str(error))
    return _describe_killed(killed[1]) if killed else ""


def _receive(pool: _WorkerPool, describe: Callable[[SampleKey], str]) -> Iterator[Batch]:
    def describe_wait() -> str:
        names = [describe(key) for keys in list(pool.requested)[:1] for key in keys]
        return f"{len(pool.processes)} data-loading workers read {', '.join(names[:2])}{' …' * (len(names) > 2)}"

    watchdog = Watchdog(pool.measure_cpu_s, end=pool.kill)
    with watchdog.open():
        while True:
            try:
                with watchdog.watch(describe_wait):
                    packed = next(pool.batches)
            except StopIteration:
                return
            except BaseException as error:
                death = (pool.describe_dead() or _read_death(error)) if isinstance(error, RuntimeError) else ""
                pool.end()
                if death:
                    raise LoadingError(death) from error
                raise
            pool.requested.popleft()
            yield [_unpack(sample) for sample in packed]


def _pack(batch: Batch) -> list[dict[str, Any]]:
    """Return samples with arrays in place of tensors, which processes pass on as bytes."""
    return [
        {name: value.numpy() if isinstance(value, Tensor) else value for name, value in sample.items()}
        for sample in batch
    ]


def _unpack(sample: dict[str, Any]) -> Sample:
    """Return a sample with tensors in place of arrays."""
    tensors = {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for name, value in sample.items()
    }
    return cast(Sample, tensors)
