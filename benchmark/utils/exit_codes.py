"""Exit codes of every process of the benchmark: commands, workers and jobs on a cluster."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit code of a command, a worker or a job."""

    SUCCESS = 0
    ERROR = 1
    """The command failed; one line on stderr says why."""
    USAGE = 2
    """The command line cannot be understood."""
    FINISHED_WITH_FAILURES = 3
    """The command did its work, and at least one run failed."""
    DIFFERENT = 4
    """The command compared results, and at least one is different."""
    BUSY = 75
    """Another process works on the run."""
    SUPERSEDED = 76
    """A later attempt at the run has begun."""
    STALLED = 77
    """The process waited too long for something that cannot be interrupted, and ended itself."""
    REQUEUE = 85
    """The job wants to be started again by the scheduler."""
    INTERRUPTED = 130
    """The process, or a run at its time limit, was interrupted; what it had saved is kept."""
