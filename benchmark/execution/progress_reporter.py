"""Progress of a run, passed on from the engine to the store, the log and an observer."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

from benchmark.engine.base import Observer, Progress
from benchmark.store.attempts import Attempt
from benchmark.store.run_folder import RunFolder
from benchmark.utils.atomic_files import describe_error

HEARTBEAT_S = 2.0
"""Seconds between two heartbeats."""
LOSS_ENTRIES = 500
"""Approximate number of loss entries kept per run."""
LOG_LINES = 20
"""Approximate number of log lines per stage."""

_log = logging.getLogger(__name__)


def compute_loss_interval(iterations: int) -> int:
    """Return the number of iterations from one kept loss entry of a run to the next."""
    return math.ceil(max(1, iterations) / LOSS_ENTRIES)


def is_loss_entry(progress: Progress, *, interval: int) -> bool:
    """Return whether the losses of a step are kept: every `interval` iterations, and those of the last one."""
    is_last = progress.done == progress.total
    return progress.stage == "train" and (is_last or (progress.done - 1) % interval == 0)


class ProgressReporter:
    """An observer that keeps heartbeats and losses of a run, as long as no later attempt has begun.

    A report that cannot be written, as on a full disk, is left out: it must not end a run that computes.

    Args:
        folder: Folder of the run.
        attempt: Attempt that this process makes at the run.
        iterations: Number of iterations of the run.
        observe: Observer that receives every report too; None for none.
    """

    def __init__(self, folder: RunFolder, attempt: Attempt, *, iterations: int, observe: Observer | None) -> None:
        self._folder, self._attempt, self._observe = folder, attempt, observe
        self._loss_interval = compute_loss_interval(iterations)
        self._last_heartbeat_s = time.monotonic()
        with self._tolerate_errors():
            self._folder.write_heartbeat({"stage": "prepare", "done": 0, "total": 0})

    def __call__(self, progress: Progress) -> None:
        """Report progress.

        Raises:
            SupersededError: A later attempt at the run has begun.
        """
        is_first, is_last = progress.done == 0, progress.done == progress.total
        if is_loss_entry(progress, interval=self._loss_interval):
            with self._tolerate_errors():
                self._folder.append_losses(progress.done - 1, progress.losses)
        if is_last or progress.done % math.ceil(progress.total / LOG_LINES) == 0:
            _log.info("%s", _format_line(progress))
        if is_first or is_last or time.monotonic() - self._last_heartbeat_s >= HEARTBEAT_S:
            with self._tolerate_errors():
                self._folder.check_latest(self._attempt.number)
                self._folder.write_heartbeat(asdict(replace(progress, losses=dict(progress.losses))))
            self._last_heartbeat_s = time.monotonic()
        if self._observe is not None:
            self._observe(progress)

    @contextmanager
    def _tolerate_errors(self) -> Iterator[None]:
        """Log an error of a file in place of raising it."""
        try:
            yield
        except OSError as error:
            _log.warning("progress is not recorded: %s", describe_error(error))


def _format_line(progress: Progress) -> str:
    losses = "".join(f"  {name} {value:.4f}" for name, value in progress.losses.items())
    return f"{progress.stage} {progress.done}/{progress.total}{losses}"
