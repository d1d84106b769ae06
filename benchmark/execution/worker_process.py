"""The processes of runs: what each may use, how they are started and told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from benchmark.core.run_spec import RunSpec
from benchmark.store.store import Store
from benchmark.utils.lock import JOB
from benchmark.utils.paths import ROOT

GRACE_S = 10.0
"""Processes that are told to end have so long before they are killed."""


@dataclass(frozen=True)
class Resources:
    """What each process may use: CPU threads, and processes that read images ahead; and how often it saves.

    Attributes:
        checkpoint_every: iterations between two checkpoints; 0 lets the clock decide.
        devices: names of CUDA devices among which runs are spread evenly; where empty every run sees all there are.
    """

    threads: int = 1
    workers: int = 0
    checkpoint_every: int = 0
    devices: tuple[str, ...] = ()


class Running(Protocol):
    """A process, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


Starter = Callable[..., Running]
"""Starts the process of a spec, given `store`, `each` and `device`."""


def start_worker(
    spec: RunSpec, *, store: Store, each: Resources, device: str = "", is_assistant: bool = False
) -> subprocess.Popen[bytes]:
    """Start the process of a run, on one device if told, or one that assists the first of a run on several tasks."""
    command = [sys.executable, "-m", "benchmark.execution.worker", *_arguments(spec, store=store, each=each)]
    command += ["--assist"] if is_assistant else []
    environment = os.environ | surroundings(each, device=device)
    # a session of its own, so that Ctrl-C reaches this process alone, which then ends the others in order; not in a
    # job, where the scheduler may find the processes by their session
    apart = JOB not in environment
    with _held_back(signal.SIGUSR2):
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=apart)


def start_warm(spec: RunSpec, *, store: Store, each: Resources, device: str = "") -> Running:
    """Start the process of a run from the server of this process, see `benchmark.execution.forkserver`."""
    from benchmark.execution.forkserver import WarmProcess

    os.environ.update(surroundings(each))
    try:
        return WarmProcess(_arguments(spec, store=store, each=each), surroundings(each, device=device))
    except (EOFError, OSError):  # its server was killed, or cannot be started; a cold start only takes longer
        return start_worker(spec, store=store, each=each, device=device)


def _arguments(spec: RunSpec, *, store: Store, each: Resources) -> list[str]:
    return [
        str(store.run(spec.id).write_spec(spec)),
        f"--store={store.root}",
        f"--threads={each.threads}",
        f"--workers={each.workers}",
        f"--checkpoint-every={each.checkpoint_every}",
    ]


@contextmanager
def _held_back(number: signal.Signals) -> Iterator[None]:
    """A process started meanwhile gets this signal once it asks for it: a scheduler warns all processes of a job."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def surroundings(each: Resources, *, device: str = "") -> dict[str, str]:
    """Variables of a worker: its threads in every numerical library, this package also where it is not installed."""
    root = ROOT
    found = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(each.threads))
    path = list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    if root.name not in ("site-packages", "dist-packages") and str(root) not in path:
        found["PYTHONPATH"] = os.pathsep.join([*path, str(root)])
    return found | ({"CUDA_VISIBLE_DEVICES": device} if device else {})


def end_processes(processes: Sequence[Running], *, grace_s: float = GRACE_S) -> None:
    """Tell own processes to end, and kill those that do not in time."""
    for process in processes:
        process.terminate()
    until = time.monotonic() + grace_s
    try:
        for process in processes:
            process.wait(timeout=max(0.0, until - time.monotonic()))
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        for process in processes:
            process.kill()
            process.wait()
