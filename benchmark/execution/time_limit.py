"""Time limits of runs on this machine: a run is interrupted at its limit, as a job is by a scheduler."""

from __future__ import annotations

import math
import time

from benchmark.execution.worker_process import WorkerHandle
from benchmark.store.run_folder import RunFolder
from benchmark.utils.durations import format_duration

LIMIT_GRACE_S = 60.0
"""Seconds that a run has to finish its iteration and save a checkpoint before it is killed."""


class TimeLimitedWorker:
    """A worker process that is interrupted at its time limit, and killed if it does not end after that.

    Args:
        process: Process that has just been started.
        limit_s: Seconds that the process may run; infinite for no limit.
        grace_s: Seconds between SIGTERM and SIGKILL.
    """

    def __init__(self, process: WorkerHandle, *, limit_s: float = math.inf, grace_s: float = LIMIT_GRACE_S) -> None:
        self._process, self._grace_s = process, grace_s
        self._until_s = time.monotonic() + limit_s
        self.has_reached_limit = False

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while the process runs. Enforces the limit."""
        code = self._process.poll()
        if code is not None or time.monotonic() < self._until_s:
            return code
        if self.has_reached_limit:
            self._process.kill()
        else:
            self._process.terminate()
            self.has_reached_limit = True
        self._until_s = time.monotonic() + self._grace_s
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end and return its exit code."""
        return self._process.wait(timeout)

    def terminate(self) -> None:
        """Send SIGTERM to the process."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL to the process."""
        self._process.kill()


def describe_limit(run: RunFolder, *, limit_s: float) -> str:
    """Return one line about a run that was interrupted at its time limit."""
    limit = f"reached its time limit of {format_duration(limit_s)}"
    if run.count_stalls():
        return f"{limit} (its start counts) {_describe_progress(run)} and saved nothing new: give it more time"
    return f"{limit}; its checkpoint is kept"


def _describe_progress(run: RunFolder) -> str:
    """Return how far the latest attempt came, by its last heartbeat."""
    beat, attempts = run.read_heartbeat() or {}, run.read_attempts()
    is_own = bool(attempts) and beat.get("pid") == attempts[-1].owner.pid
    if not is_own or not beat.get("total"):
        return "before its first iteration"
    return f"in {beat.get('stage', '')} at {beat.get('done', 0)} of {beat['total']}"
