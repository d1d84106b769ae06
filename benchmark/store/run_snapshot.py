"""What one reading of the files of a run shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.core.run_record import RunRecord
from benchmark.core.run_state import RunState

if TYPE_CHECKING:
    from benchmark.store.staleness import UsedFiles


@dataclass(frozen=True)
class RecordSummary:
    """What a list of runs shows of the record of a run that is done.

    Attributes:
        attempts: Number of the attempt that wrote the record.
        counts_digest: Digest of the counts.
        used: Files that the result depends on.
    """

    attempts: int
    counts_digest: str
    used: UsedFiles


@dataclass(frozen=True)
class RunSnapshot:
    """State and record of a run, from one reading of its files or of an index.

    Attributes:
        state: State of the run.
        record: Record of the run; None if there is no readable one, or if the run was looked up in an index.
        problem: Reason why the record or the counts cannot be read, one line; empty if they can or do not exist.
        is_unreadable: Whether files exist that this user may not read; they may hold a result.
        summary: Summary of the record of a run that was looked up in an index; None for any other.
    """

    state: RunState
    record: RunRecord | None = None
    problem: str = ""
    is_unreadable: bool = False
    summary: RecordSummary | None = None
