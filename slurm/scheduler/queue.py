"""Jobs as the scheduler reports them: their states, what they used, and how to cancel them.

A whole plan takes one query: squeue for all its jobs at once, and sacct only for those that squeue has forgotten. Never
query from within a job, and not more often than every 30 seconds: a thousand jobs that query bring a cluster down.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from slurm.scheduler.job_info import (
    NO_ARRAY,
    SACCT_FORMAT,
    SEPARATOR,
    SQUEUE_FORMAT,
    JobInfo,
    format_tasks,
    parse_sacct,
    parse_squeue,
)
from slurm.scheduler.slurm_command import SlurmOutput, run_slurm

JobTarget = str | tuple[str, int]
"""A job with all its elements, by its ID; or one element of an array, by job ID and task number."""

Accounting = Literal["on", "off", "unreachable", "not asked"]

CLOCK_SKEW_S = 300
"""Largest difference between the clocks of login node and controller."""

CANCEL_TIMEOUT_S = 60.0
COMMAND_CHARACTERS = 60_000
"""Characters of IDs in one command; Linux allows 128 KiB in a word."""

_SQUEUE = ("squeue", "--noheader", "--array", "--states=all", f"--Format={SQUEUE_FORMAT}")
# with duplicates, because sacct otherwise hides a job whose ID was reused by a later job
_SACCT = ("sacct", "--noheader", "--duplicates", "--parsable2", f"--delimiter={SEPARATOR}", f"--format={SACCT_FORMAT}")
_UNKNOWN = "Invalid job id specified"
_GONE = (_UNKNOWN, "already completing or completed")


@dataclass(frozen=True)
class QueueSnapshot:
    """Jobs as the scheduler reported them at one time.

    Attributes:
        jobs: Jobs by job ID and task number; squeue's report takes precedence over sacct's.
        reachable: Whether the controller answered. If it did, a job that squeue does not show has ended, even if sacct
            still reports it as running.
        accounting: Whether the accounting database answered; "not asked" if squeue knew all jobs.
        notes: Messages for the user, one line each.
    """

    jobs: Mapping[tuple[str, int], JobInfo]
    reachable: bool
    accounting: Accounting = "not asked"
    notes: tuple[str, ...] = ()

    def find_job(self, job: str, task: int, *, name: str = "") -> JobInfo | None:
        """Return an element of an array; None if it is unknown, or if its number now belongs to another job.

        Args:
            job: ID of the array.
            task: Index in the array.
            name: Name that the job was given; empty for any.
        """
        # an array that was canceled before any element started is a single job without elements
        info = self.jobs.get((job, task)) or self.jobs.get((job, NO_ARRAY))
        return info if info is not None and name in ("", info.name) else None

    def has_forgotten(self, job: str, task: int, *, name: str) -> bool:
        """Return whether an array is shown without one of its elements, as if that was canceled before its start.

        Args:
            job: ID of the array.
            task: Index in the array.
            name: Name that the job was given.
        """
        is_shown = any(number == job and info.name == name for (number, _), info in self.jobs.items())
        return is_shown and self.find_job(job, task, name=name) is None


@dataclass(frozen=True)
class JobHistory:
    """Past and present starts of jobs in the accounting database.

    Attributes:
        starts: Every start of every element, with what it used; empty if there is no accounting.
        accounting: Whether the accounting database answered.
        notes: Messages for the user, one line each.
    """

    starts: tuple[JobInfo, ...]
    accounting: Accounting
    notes: tuple[str, ...] = ()


def query_jobs(
    targets: Iterable[JobTarget], *, since: float, cluster: str = "", environment: Mapping[str, str] | None = None
) -> QueueSnapshot:
    """Return the states of jobs; never raise if the scheduler does not answer.

    Args:
        targets: Jobs, or single elements of them; those that squeue does not know are looked up in accounting.
        since: Time when the first of them was submitted, in seconds since 1970; SLURM reuses job IDs after some time.
        cluster: Cluster of the jobs; the default cluster of this machine if empty.
        environment: Variables in addition to those of this process.
    """
    wanted = set(targets)
    if not wanted:
        return QueueSnapshot({}, reachable=True)
    queued, reachable, notes = _query_squeue(
        ("--jobs", _join_job_ids(wanted)), cluster=cluster, environment=environment
    )
    jobs = {(info.job, info.task): info for info in queued}
    missing = wanted - jobs.keys() - {job for job, _ in jobs}
    if not missing:
        return QueueSnapshot(jobs, reachable, notes=notes)
    options = ("--allocations", "--jobs", _join_job_ids(missing))
    recorded, accounting, more = _query_sacct(options, since=since, cluster=cluster, environment=environment)
    all_jobs = {(info.job, info.task): info for info in recorded} | jobs
    return QueueSnapshot(all_jobs, reachable, accounting, (*notes, *more))


def find_jobs(
    prefix: str, *, since: float, cluster: str = "", environment: Mapping[str, str] | None = None
) -> QueueSnapshot:
    """Return this user's jobs whose names begin with a prefix, including those that have ended.

    Args:
        prefix: Beginning of the names.
        since: Time of the earliest submission in seconds since 1970.
        cluster: Cluster of the jobs; the default cluster of this machine if empty.
        environment: Variables in addition to those of this process.
    """
    user = ("--user", str(os.getuid()))
    queued, reachable, notes = _query_squeue(user, cluster=cluster, environment=environment)
    options = ("--allocations", *user)
    recorded, accounting, more = _query_sacct(options, since=since, cluster=cluster, environment=environment)
    named = (info for info in (*recorded, *queued) if info.name.startswith(prefix))
    jobs = {(info.job, info.task): info for info in named if (info.submitted or since) >= since - CLOCK_SKEW_S}
    return QueueSnapshot(jobs, reachable, accounting, (*notes, *more))


def count_queued(*, cluster: str = "", environment: Mapping[str, str] | None = None) -> int:
    """Return how many jobs and array elements of this user are in the queue; 0 if the scheduler does not answer."""
    options = ("--noheader", "--array", "--user", str(os.getuid()), "--format=%i")
    return len(run_slurm("squeue", *options, cluster=cluster, environment=environment).stdout.split())


def query_history(
    targets: Iterable[JobTarget], *, since: float, cluster: str = "", environment: Mapping[str, str] | None = None
) -> JobHistory:
    """Return every start of these jobs with the memory and processor time it used; asks only accounting.

    Args:
        targets: Jobs, or single elements of them.
        since: Time when the first of them was submitted, in seconds since 1970.
        cluster: Cluster of the jobs; the default cluster of this machine if empty.
        environment: Variables in addition to those of this process.
    """
    wanted = set(targets)
    if not wanted:
        return JobHistory((), "not asked")
    options = ("--jobs", _join_job_ids(wanted))
    starts, accounting, notes = _query_sacct(options, since=since, cluster=cluster, environment=environment)
    ours = (info for info in starts if info.job in wanted or (info.job, info.task) in wanted)
    return JobHistory(tuple(ours), accounting, notes)


def cancel_jobs(
    targets: Iterable[JobTarget], *, cluster: str = "", environment: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Cancel jobs or elements of them; jobs that have already ended are skipped.

    SLURM gives the numbers of past jobs to other jobs: look for the names of the jobs first.

    Args:
        targets: Jobs, or single elements of them.
        cluster: Cluster of the jobs; the default cluster of this machine if empty.
        environment: Variables in addition to those of this process.

    Returns:
        SLURM's error messages, one line each; empty if none was printed, which does not prove that jobs have ended.
    """
    errors: list[str] = []
    for words in _split_words(_format_targets(set(targets))):
        # without --name, which cancels a whole array of which one waiting element is named
        output = run_slurm("scancel", *words, cluster=cluster, environment=environment, timeout_s=CANCEL_TIMEOUT_S)
        lines = [line for line in output.stderr.splitlines() if "job id" in line] or [output.error]
        errors += [] if output.ok else [line for line in lines if not any(text in line for text in _GONE)]
    return tuple(errors)


def _query_squeue(
    options: tuple[str, ...], *, cluster: str, environment: Mapping[str, str] | None
) -> tuple[list[JobInfo], bool, tuple[str, ...]]:
    """Return the jobs, whether the controller answered, and notes for the user."""
    output = run_slurm(*_SQUEUE, *options, cluster=cluster, environment=environment)
    if output.ok or _UNKNOWN in output.stderr:  # printed for a single unknown ID; of several, unknown ones are left out
        return list(parse_squeue(output.stdout)), True, ()
    whose = f"the controller of SLURM's cluster {cluster}" if cluster else "SLURM's controller"
    return [], False, (f"{whose} does not answer, so running jobs are unknown: {output.error}",)


def _query_sacct(
    options: tuple[str, ...], *, since: float, cluster: str, environment: Mapping[str, str] | None
) -> tuple[list[JobInfo], Accounting, tuple[str, ...]]:
    """Return the jobs, oldest first, the state of accounting, and notes for the user."""
    # counted back from now, because a date would be read in the time zone of this machine
    start = f"--starttime=now-{max(0, int(time.time() - since)) + CLOCK_SKEW_S}"
    output = run_slurm(*_SACCT, start, *options, cluster=cluster, environment=environment)
    if output.ok:
        return sorted(parse_sacct(output.stdout), key=lambda info: info.submitted or 0.0), "on", ()
    accounting, note = _explain_missing_accounting(output)
    return [], accounting, (note,)


def _explain_missing_accounting(output: SlurmOutput) -> tuple[Accounting, str]:
    """Return the state of accounting after an error of sacct, and a note for the user."""
    if "accounting storage is disabled" in output.stderr:
        note = "accounting is off: SLURM forgets a job soon after its end, and only the runs' files say how it ended"
        return "off", note
    return "unreachable", f"SLURM's accounting does not answer, so the ends of past jobs are unknown: {output.error}"


def _join_job_ids(targets: Iterable[JobTarget]) -> str:
    return ",".join(sorted({target if isinstance(target, str) else target[0] for target in targets}))


def _format_targets(targets: Collection[JobTarget]) -> list[str]:
    """Return the arguments of a command, one for each job: 12 or 12_[0-3,7]."""
    elements: dict[str, list[int]] = {}
    for target in targets:
        if not isinstance(target, str) and target[0] not in targets and target[1] != NO_ARRAY:
            elements.setdefault(target[0], []).append(target[1])
    whole = {target if isinstance(target, str) else target[0] for target in targets} - elements.keys()
    return sorted(whole) + [f"{job}_[{format_tasks(tasks)}]" for job, tasks in sorted(elements.items())]


def _split_words(words: Iterable[str]) -> list[list[str]]:
    """Split words into lists that each fit on a command line."""
    lists: list[list[str]] = []
    length = COMMAND_CHARACTERS
    for word in words:
        length += len(word) + 1
        if length > COMMAND_CHARACTERS:
            lists.append([])
            length = len(word) + 1
        lists[-1].append(word)
    return lists
