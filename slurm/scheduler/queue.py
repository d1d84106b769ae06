"""What the scheduler says: which jobs there are, where they stand, what they used; and cancelling them.

One question for a whole plan: squeue for all its jobs at once, and sacct only for those that squeue has forgotten.
Never ask from within a job, and not more often than every half minute: a thousand jobs that ask bring a cluster down.
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
    JobView,
    notation,
    sacct_views,
    squeue_views,
)
from slurm.scheduler.slurm_command import Answer, ask

__all__ = ["NO_ARRAY", "History", "JobView", "Sight", "Target", "cancel", "find", "history", "look", "queued"]

Target = str | tuple[str, int]
"""A job with all its elements, by its id; or one element of an array, by both numbers."""

Accounting = Literal["on", "off", "unreachable", "not asked"]

MARGIN_S = 300
"""Clocks of login node and controller may differ by so much."""

CANCEL_S = 60.0
WORDS_LENGTH = 60_000
"""Characters of ids in one command; Linux takes 128 KiB in a word."""

_SQUEUE = ("squeue", "--noheader", "--array", "--states=all", f"--Format={SQUEUE_FORMAT}")
# with duplicates, as else a job is hidden that lost its number to a later one
_SACCT = ("sacct", "--noheader", "--duplicates", "--parsable2", f"--delimiter={SEPARATOR}", f"--format={SACCT_FORMAT}")
_UNKNOWN = "Invalid job id specified"
_GONE = (_UNKNOWN, "already completing or completed")


@dataclass(frozen=True)
class Sight:
    """What was seen of the scheduler at one step_context.

    Attributes:
        jobs: by array and task; what squeue says goes before what sacct says.
        reachable: whether the controller answered. Where it did, no job is alive that squeue does not show, even if
            sacct calls it alive.
        accounting: whether the accounts answered; "not asked" where squeue knew all.
        notes: what a person should be told once, one line each.
    """

    jobs: Mapping[tuple[str, int], JobView]
    reachable: bool
    accounting: Accounting = "not asked"
    notes: tuple[str, ...] = ()

    def seen(self, job: str, task: int, *, name: str = "") -> JobView | None:
        """An element of an array; None where nobody knows it, or only another job that has its number now.

        Args:
            name: that its job was given; empty for any.
        """
        view = self.jobs.get((job, task))
        return view if view is not None and name in ("", view.name) else None


@dataclass(frozen=True)
class History:
    """What the accounts know.

    Attributes:
        attempts: every start of every element, with what it used; empty where there are no accounts.
        accounting: whether the accounts answered.
        notes: what a person should be told once, one line each.
    """

    attempts: tuple[JobView, ...]
    accounting: Accounting
    notes: tuple[str, ...] = ()


def look(wanted: Iterable[Target], *, since: float, environment: Mapping[str, str] | None = None) -> Sight:
    """See where jobs stand; never raises for a scheduler that does not answer.

    Args:
        wanted: jobs, or single elements of them; whatever squeue does not know of these is looked up in the accounts.
        since: when the first of them was submitted, in seconds since 1970; numbers are used again after some time.
        environment: variables beside those of this process.
    """
    targets = set(wanted)
    if not targets:
        return Sight({}, reachable=True)
    queue, reachable, notes = _from_squeue(("--jobs", _jobs(targets)), environment)
    jobs = {(view.job, view.task): view for view in queue}
    missing = targets - jobs.keys() - {job for job, _ in jobs}
    if not missing:
        return Sight(jobs, reachable, notes=notes)
    options = ("--allocations", "--jobs", _jobs(missing))
    recorded, accounting, more = _from_sacct(options, since=since, environment=environment)
    return Sight({(view.job, view.task): view for view in recorded} | jobs, reachable, accounting, (*notes, *more))


def find(prefix: str, *, since: float, environment: Mapping[str, str] | None = None) -> Sight:
    """See all jobs of this user whose name begins so, submitted since then, also those that ended."""
    user = ("--user", str(os.getuid()))
    queue, reachable, notes = _from_squeue(user, environment)
    recorded, accounting, more = _from_sacct(("--allocations", *user), since=since, environment=environment)
    found = (view for view in (*recorded, *queue) if view.name.startswith(prefix))
    jobs = {(view.job, view.task): view for view in found if (view.submitted or since) >= since - MARGIN_S}
    return Sight(jobs, reachable, accounting, (*notes, *more))


def queued(*, environment: Mapping[str, str] | None = None) -> int:
    """How many jobs and elements of this user are in the queue, running or not; 0 where the scheduler does not say."""
    options = ("--noheader", "--array", "--user", str(os.getuid()), "--format=%i")
    return len(ask("squeue", *options, environment=environment).text.split())


def history(wanted: Iterable[Target], *, since: float, environment: Mapping[str, str] | None = None) -> History:
    """Every start of these jobs, with the memory and the processor time that were measured; asks the accounts alone."""
    targets = set(wanted)
    if not targets:
        return History((), "not asked")
    views, accounting, notes = _from_sacct(("--jobs", _jobs(targets)), since=since, environment=environment)
    fitting = (view for view in views if view.job in targets or (view.job, view.task) in targets)
    return History(tuple(fitting), accounting, notes)


def cancel(wanted: Iterable[Target], *, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Cancel jobs or elements of them; those that ended already are passed over.

    Returns:
        What SLURM objected, one line each; empty where all of them are cancelled or over.
    """
    objections: list[str] = []
    for words in _chunks(_compact(set(wanted))):
        answer = ask("scancel", *words, environment=environment, timeout_s=CANCEL_S)
        lines = [line for line in answer.complaint.splitlines() if "job id" in line] or [answer.last_words]
        objections += [] if answer.ok else [line for line in lines if not any(text in line for text in _GONE)]
    return tuple(objections)


def _from_squeue(
    options: tuple[str, ...], environment: Mapping[str, str] | None
) -> tuple[list[JobView], bool, tuple[str, ...]]:
    answer = ask(*_SQUEUE, *options, environment=environment)
    if answer.ok or _UNKNOWN in answer.complaint:  # it says so of a single id only, and leaves out those of several
        return list(squeue_views(answer.text)), True, ()
    note = f"SLURM's controller cannot be asked, so what runs now is not known: {answer.last_words}"
    return [], False, (note,)


def _from_sacct(
    options: tuple[str, ...], *, since: float, environment: Mapping[str, str] | None
) -> tuple[list[JobView], Accounting, tuple[str, ...]]:
    # counted back from now, as a date would be read in the time zone of this machine
    start = f"--starttime=now-{max(0, int(time.time() - since)) + MARGIN_S}"
    answer = ask(*_SACCT, start, *options, environment=environment)
    if answer.ok:
        return sorted(sacct_views(answer.text), key=lambda view: view.submitted or 0.0), "on", ()
    accounting, note = _without_accounts(answer)
    return [], accounting, (note,)


def _without_accounts(answer: Answer) -> tuple[Accounting, str]:
    if "accounting storage is disabled" in answer.complaint:
        note = "accounting is disabled here: SLURM forgets a job soon after it ended, and only its runs' files say how"
        return "off", note
    note = f"SLURM's accounts cannot be asked, so how past jobs ended is not known: {answer.last_words}"
    return "unreachable", note


def _jobs(targets: Iterable[Target]) -> str:
    return ",".join(sorted({target if isinstance(target, str) else target[0] for target in targets}))


def _compact(targets: Collection[Target]) -> list[str]:
    """The words of a command: one for each job, 12 or 12_[0-3,7]."""
    elements: dict[str, list[int]] = {}
    for target in targets:
        if not isinstance(target, str) and target[0] not in targets and target[1] != NO_ARRAY:
            elements.setdefault(target[0], []).append(target[1])
    whole = {target if isinstance(target, str) else target[0] for target in targets} - elements.keys()
    return sorted(whole) + [f"{job}_[{notation(tasks)}]" for job, tasks in sorted(elements.items())]


def _chunks(words: Iterable[str]) -> list[list[str]]:
    """As many words at a time as a command line takes."""
    chunks: list[list[str]] = []
    length = WORDS_LENGTH
    for word in words:
        length += len(word) + 1
        if length > WORDS_LENGTH:
            chunks.append([])
            length = len(word) + 1
        chunks[-1].append(word)
    return chunks
