"""Attempts at a run as the jobs that made them."""

from __future__ import annotations

from typing import NamedTuple

from benchmark.store.run_folder import RunFolder


class JobAttempt(NamedTuple):
    """Attempt at a run: number of the start of its job, counted from 1, and whether it resumed."""

    start: int
    is_resumed: bool


def read_job_attempts(run: RunFolder) -> list[JobAttempt]:
    """Return all attempts at a run that a job made, oldest first."""
    return [
        JobAttempt(attempt.owner.job.restart + 1, bool(attempt.checkpoint))
        for attempt in run.read_attempts()
        if attempt.owner.job
    ]
