"""`logs --follow`: the log of a run as it is written, through all its attempts, until the run ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.core.run_state import RunState
from benchmark.utils.lock import find_owner

if TYPE_CHECKING:
    from benchmark.store.run_folder import RunFolder

POLL_S = 0.5
QUIET_S = 10.0
"""Seconds without a process after which a run that was begun has ended, unless it waits in a queue."""

QUEUE_POLL_S = 10.0
"""Seconds between two questions to the scheduler."""

Notify = Callable[[str], None]


class LogFollower:
    """Reader of the logs of a run, of all attempts from the latest one on.

    Args:
        run: Folder of the run.
        notify: Function that is called with lines that are not part of a log.
        is_queued: Function that says whether a scheduler has the run in its queue; asked rarely.
    """

    def __init__(self, run: RunFolder, *, notify: Notify, is_queued: Callable[[], bool]) -> None:
        self._run, self._notify, self._is_queued = run, notify, is_queued
        self._log: Path | None = None
        self._position = 0

    def follow(self, *, first_lines: int = 0) -> Iterator[str]:
        """Yield text as it is written, until the run is done, or no process works on it and none is to come.

        Args:
            first_lines: Lines of the present log to begin with; 0 for all.
        """
        self._open_latest()
        if self._log is None:
            self._notify(f"{self._run.id} was not started yet: waiting for its log")
        yield self._skip_to(first_lines)
        quiet_since = time.monotonic()
        while True:
            state, is_at_work = self._run.read_state(), find_owner(self._run.path) is not None
            text = self._read_new()  # after the state: the text is complete if the run has ended
            yield text
            if state is RunState.DONE:
                break
            if text or is_at_work or not self._was_started:
                quiet_since = time.monotonic()
            elif state.is_failed or time.monotonic() - quiet_since > QUIET_S:
                if not self._is_queued():
                    break
                quiet_since = time.monotonic()
                time.sleep(QUEUE_POLL_S)
            time.sleep(POLL_S)
        self._notify(f"{self._run.id}: {state}" + ("" if state.is_final else ", no process works on it"))

    @property
    def _was_started(self) -> bool:
        return self._log is not None

    def _skip_to(self, first_lines: int) -> str:
        """Return the last lines of the present log; later calls return what is written after them."""
        lines = self._read_log().splitlines(keepends=True)
        return "".join(lines[-first_lines:] if first_lines else lines)

    def _read_new(self) -> str:
        text = self._read_log()
        while self._open_latest():
            text += self._read_log()
        return text

    def _read_log(self) -> str:
        """Return what was written to the present log since the last call."""
        if self._log is None:
            return ""
        with self._log.open("rb") as file:
            file.seek(self._position)
            content = file.read()
        self._position += len(content)
        return content.decode("utf-8", errors="replace")

    def _open_latest(self) -> bool:
        """Go to the next log, or at first to the latest; return whether there is one."""
        logs = {int(path.parent.name): path for path in self._run.path.glob("attempts/*/log.txt")}
        if self._log is None:
            number = max(logs, default=0)
        else:
            number = min((one for one in logs if one > int(self._log.parent.name)), default=0)
        if not number:
            return False
        if self._log is not None:
            self._notify(f"attempt {number}")
        self._log, self._position = logs[number], 0
        return True
