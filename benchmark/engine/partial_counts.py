"""Counts of an evaluation that is not finished, kept on disk, so that a killed evaluation goes on where it was.

The file holds the first images of one process of a run. Its name is a digest of all that the counts depend on: the
spec, the code, the arithmetic, the files that were read and the trained state. Counts of anything else are not found,
and are deleted. Every image has its own random streams, so the final counts are those of an uninterrupted evaluation.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark.core.method import Method
from benchmark.engine import interrupts
from benchmark.engine.checkpoint import digest_state
from benchmark.engine.distributed import Rank
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import load

MAX_COST_SHARE = 0.005
"""Saving takes at most this share of the time."""
MIN_INTERVAL_S = 20.0
"""Saving waits at least this long after the start and after the last time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PartialFolder:
    """Folder for the counts of unfinished evaluations of one run.

    Attributes:
        path: Path of the folder; it need not exist.
        key: Text that changes with all that the counts depend on, except the trained state.
    """

    path: Path
    key: str

    def open(self, method: Method, rank: Rank) -> PartialCounts:
        """Return the counts of one process of the run; those of other code or another state are deleted."""
        digest = hashlib.sha256(f"{self.key} {digest_state(method)}".encode()).hexdigest()
        share = f"{rank.index}-of-{rank.size}.npz"
        file = self.path / f"{digest[:32]}-{share}"
        for other in set(self.path.glob(f"*-{share}")) - {file}:
            other.unlink(missing_ok=True)
        return PartialCounts(file)


class PartialCounts:
    """The file of the counts so far of one process.

    Args:
        path: Path of the file; None keeps nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._last_save_s, self._cost_s = time.monotonic(), 0.0

    def restore(self, counter: Counter) -> int:
        """Load the counts into a new counter and return the number of images; a broken file is left out."""
        if self._path is None or not self._path.exists():
            return 0
        try:
            counts = load(self._path)
            counter.restore(counts)
        except (OSError, ValueError) as error:
            _log.warning("the evaluation begins again: %s", error)
            return 0
        _log.info("evaluation goes on after %d images", len(counts.image_ids))
        return len(counts.image_ids)

    @contextmanager
    def defer_stop(self) -> Iterator[None]:
        """Let a stop request wait for the end of the current image if counts are kept."""
        if self._path is None:
            yield
            return
        with interrupts.defer_stop():
            yield

    def update(self, counter: Counter, *, is_last: bool) -> None:
        """Save the counts after an image if it is time; never after the last one, so that one is left to time.

        Raises:
            KeyboardInterrupt: A stop is requested; the counts were saved.
        """
        is_stopping = interrupts.is_stop_requested()
        if self._path is None or is_last or not (is_stopping or self._is_due()):
            return
        begin_s = time.monotonic()
        try:
            counter.compute().save(self._path)
        except OSError as error:
            _log.warning("a killed evaluation would begin again: %s", error.strerror)
        self._last_save_s = time.monotonic()
        self._cost_s = self._last_save_s - begin_s
        if is_stopping:
            raise KeyboardInterrupt

    def _is_due(self) -> bool:
        return time.monotonic() - self._last_save_s > max(MIN_INTERVAL_S, self._cost_s / MAX_COST_SHARE)
