"""The states of a run, on disk and on a cluster."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """State of one run.

    WAITING, LOST and UNKNOWN exist only for runs that were submitted to a scheduler; the files of a run are enough to
    tell the others apart. The order is that of summaries.
    """

    DONE = "done"
    """The run has a record and counts."""
    RUNNING = "running"
    """A process works on the run."""
    WAITING = "waiting"
    """The job of the run is in the scheduler's queue."""
    FAILED = "failed"
    """The run has a record that says why there are no counts."""
    BROKEN = "broken"
    """The record cannot be read."""
    INTERRUPTED = "interrupted"
    """The run was started and can be resumed; no process works on it."""
    LOST = "lost"
    """The run was submitted and never started, and the scheduler does not know its job any more."""
    UNKNOWN = "unknown"
    """The state cannot be determined, for example because the scheduler does not respond."""
    MISSING = "missing"
    """The run was never started."""

    @property
    def is_final(self) -> bool:
        """Whether the run has ended and left a record, readable or not."""
        return self is RunState.DONE or self.is_failed

    @property
    def is_failed(self) -> bool:
        """Whether the run ended without a usable result."""
        return self in (RunState.FAILED, RunState.BROKEN)

    @property
    def is_active(self) -> bool:
        """Whether the run may still end without another start."""
        return self in (RunState.RUNNING, RunState.WAITING, RunState.UNKNOWN)

    @property
    def is_startable(self) -> bool:
        """Whether the run needs another start to get a result, and has no record in its way."""
        return self in (RunState.MISSING, RunState.INTERRUPTED, RunState.LOST)
