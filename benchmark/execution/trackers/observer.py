"""The side of a run: an observer that tells the process of the trackers, and never waits for it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmark.core.run_spec import RunSpec
from benchmark.engine.base import Observer, Progress
from benchmark.execution.progress_reporter import compute_loss_interval, is_loss_entry
from benchmark.store.run_folder import RunFolder

CLOSE_TIMEOUT_S = 30.0
"""Seconds that trackers have to write their last values when the run has ended."""
INTERRUPTED_TIMEOUT_S = 5.0
"""The same if the run is interrupted, which leaves little time."""
MAX_LINE = 4096
"""Bytes that a pipe takes whole or not at all (PIPE_BUF of Linux)."""

_log = logging.getLogger("trackers")


@contextmanager
def track_run(run: RunFolder, spec: RunSpec, names: str) -> Iterator[Observer | None]:
    """Yield an observer that tracks an attempt at a run within the context; None without trackers.

    Args:
        run: Folder of the run; its spec is written.
        spec: Spec of the run.
        names: Names of trackers, separated by commas; may be empty.
    """
    if not names:
        yield None
        return
    observer, timeout_s = TrackingObserver(run, spec, names), INTERRUPTED_TIMEOUT_S
    try:
        yield observer
        timeout_s = CLOSE_TIMEOUT_S
    finally:
        observer.close(timeout_s=timeout_s)


class TrackingObserver:
    """Observer that sends losses and learning rate to trackers as often as they are kept in the run's history.

    Values are dropped if the trackers are so slow that the pipe to them is full.

    Args:
        run: Folder of the run; its spec is written.
        spec: Spec of the run.
        names: Names of trackers, separated by commas.
    """

    def __init__(self, run: RunFolder, spec: RunSpec, names: str) -> None:
        self._interval = compute_loss_interval(spec.budget.iterations)
        self._num_dropped, self._is_on = 0, True
        command = [sys.executable, "-P", "-m", "benchmark.execution.trackers.process", str(run.path)]
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen([*command, f"--track={names}"], stdin=subprocess.PIPE)
            os.set_blocking(self._get_pipe(self._process), False)
        except OSError as error:
            _log.warning("trackers are off, the run goes on: %s", error)

    def __call__(self, progress: Progress) -> None:
        """Send the values of a training step, if it is one to keep."""
        if self._process is None or not self._is_on or not is_loss_entry(progress, interval=self._interval):
            return
        values = {f"loss/{name}": value for name, value in progress.losses.items()}
        entry = {"iteration": progress.done - 1, "values": values | {"learning_rate": progress.learning_rate}}
        line = json.dumps(entry).encode() + b"\n"
        try:
            if len(line) > MAX_LINE:
                raise BlockingIOError
            os.write(self._get_pipe(self._process), line)
        except BlockingIOError:
            self._num_dropped += 1
        except OSError as error:  # the process has ended
            _log.warning("trackers are off, the run goes on: %s", error)
            self._is_on = False

    def close(self, *, timeout_s: float) -> None:
        """Say that the run has ended, and give the trackers some time to finish.

        Args:
            timeout_s: Seconds after which their process is killed.
        """
        if self._num_dropped:
            _log.warning("trackers were too slow for %d entries; the history of the run has them", self._num_dropped)
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _log.warning("trackers did not finish within %.0f s and were ended", timeout_s)
            process.kill()
            process.wait()

    @staticmethod
    def _get_pipe(process: subprocess.Popen[bytes]) -> int:
        assert process.stdin is not None
        return process.stdin.fileno()
