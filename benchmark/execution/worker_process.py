"""Worker processes: their resources, how they are started, and how they are ended."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from benchmark.core.run_spec import RunSpec
from benchmark.store.store import Store
from benchmark.utils.lock import JOB_VARIABLE
from benchmark.utils.paths import ROOT

GRACE_S = 10.0
"""Default grace period between SIGTERM and SIGKILL."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class WorkerResources:
    """Resources of each worker process.

    Attributes:
        threads: CPU threads of torch.
        workers: Data-loading workers.
        checkpoint_every: Iterations between two checkpoints; with 0, the elapsed time decides.
        measures_cost: Whether the figures of a method's cost that take further passes are measured.
        devices: Names of CUDA devices that the runs are distributed over evenly; if empty, every run sees all devices.
        time_limit_s: Seconds after which a run is interrupted; it can be resumed.
        submitted_code: Digest of the code that each run was submitted with, by the ID of the run; a run whose code is
            other code fails. Runs that were not submitted are left out.
    """

    threads: int = 1
    workers: int = 0
    checkpoint_every: int = 0
    measures_cost: bool = True
    devices: tuple[str, ...] = ()
    time_limit_s: float = math.inf
    submitted_code: Mapping[str, str] = field(default_factory=dict)


class WorkerHandle(Protocol):
    """A worker process; `subprocess.Popen` has these methods."""

    @property
    def pid(self) -> int:
        """Id of the process."""

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while the process runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end and return its exit code."""

    def terminate(self) -> None:
        """Send SIGTERM to the process."""

    def kill(self) -> None:
        """Send SIGKILL to the process."""


WorkerStarter = Callable[..., WorkerHandle]
"""Function that starts the worker of a spec; its keyword arguments are `store`, `resources` and `device`."""


def start_worker(
    spec: RunSpec, *, store: Store, resources: WorkerResources, device: str = "", is_assistant: bool = False
) -> subprocess.Popen[bytes]:
    """Start a fresh worker process for a run.

    Args:
        spec: Spec of the run.
        store: Store that holds the run.
        resources: Resources of the process.
        device: Name of the CUDA device of the run; empty for all devices.
        is_assistant: Whether the process assists the first process of a run that several processes share.
    """
    # -P: files of the working folder are not modules, whatever they are called
    command = [sys.executable, "-P", "-m", "benchmark.execution.worker", *_make_arguments(spec, store, resources)]
    command += ["--assist"] if is_assistant else []
    environment = os.environ | make_worker_environment(resources, device=device)
    # in a new session Ctrl-C reaches this process only, which then ends the workers in order; not in a job, as the
    # scheduler may find the processes of the job by their session
    is_new_session = JOB_VARIABLE not in environment
    with _block_signal(signal.SIGUSR2), _open_log(None if is_assistant else find_next_log(spec, store)) as log:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=is_new_session,
        )


def fork_worker(spec: RunSpec, *, store: Store, resources: WorkerResources, device: str = "") -> WorkerHandle:
    """Fork the worker process of a run from the server of this process, see `benchmark.execution.forkserver`.

    Args:
        spec: Spec of the run.
        store: Store that holds the run.
        resources: Resources of the process.
        device: Name of the CUDA device of the run; empty for all devices.
    """
    from benchmark.execution.forkserver import ForkedWorker

    os.environ.update(make_worker_environment(resources))
    arguments, log = _make_arguments(spec, store, resources), find_next_log(spec, store)
    try:
        return ForkedWorker(arguments, make_worker_environment(resources, device=device), log=log)
    except (EOFError, OSError):  # the server was killed or cannot be started; a fresh process only takes longer
        return start_worker(spec, store=store, resources=resources, device=device)


def find_next_log(spec: RunSpec, store: Store) -> Path:
    """Return the log of a run's next attempt, which also takes what a process prints before it opens the log itself."""
    return store.run(spec.id).next_attempt_path / "log.txt"


def make_worker_environment(resources: WorkerResources, *, device: str = "") -> dict[str, str]:
    """Return the environment variables that a worker needs in addition to those of this process.

    The variables set the threads of every numerical library, and make this package importable if it is not installed.

    Args:
        resources: Resources of the process.
        device: Name of the CUDA device of the run; empty for all devices.
    """
    environment = dict.fromkeys(THREAD_VARIABLES, str(resources.threads))
    # without empty entries, which stand for the working folder, and with this package first
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", str(ROOT))]
    own = [] if ROOT.name in ("site-packages", "dist-packages") else [str(ROOT)]
    environment["PYTHONPATH"] = os.pathsep.join([*own, *paths])
    return environment | ({"CUDA_VISIBLE_DEVICES": device} if device else {})


def end_processes(processes: Sequence[WorkerHandle], *, grace_s: float = GRACE_S) -> None:
    """Terminate processes and kill those that are still alive after the grace period.

    Args:
        processes: Processes that this process started.
        grace_s: Seconds between SIGTERM and SIGKILL.
    """
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


def _make_arguments(spec: RunSpec, store: Store, resources: WorkerResources) -> list[str]:
    return [
        str(store.run(spec.id).write_spec(spec)),
        f"--store={store.root}",
        f"--threads={resources.threads}",
        f"--workers={resources.workers}",
        f"--checkpoint-every={resources.checkpoint_every}",
        *([] if resources.measures_cost else ["--no-cost"]),
        *([f"--code={resources.submitted_code[spec.id]}"] if spec.id in resources.submitted_code else []),
    ]


@contextmanager
def _open_log(path: Path | None) -> Iterator[IO[bytes] | None]:
    """Open the log of a process to append to it; None, for the output of this process, if it cannot be opened."""
    if path is None:
        yield None
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = path.open("ab")
    except OSError:  # the process meets the same problem, and says which
        yield None
        return
    with log:
        yield log


@contextmanager
def _block_signal(number: signal.Signals) -> Iterator[None]:
    """Block a signal in processes that are started within the context, until they unblock it.

    A scheduler warns all processes of a job, also those that have not yet installed their signal handlers.
    """
    mask_before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask_before)
