"""Cancellation of the jobs of runs: only jobs that have the right name, and only what SLURM confirms counts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slurm.requests.manifest import SubmittedTask
from slurm.scheduler.queue import cancel_jobs
from slurm.scheduler.states import parse_state
from slurm.status.grid_queue import GridQueue, find_route, query_queue
from slurm.status.run_status import RunStatus

CONFIRM_PAUSES_S = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Pauses before each look whether the jobs are gone."""


@dataclass(frozen=True)
class Cancellation:
    """Result of canceling the jobs of runs.

    Attributes:
        canceled: Elements that have ended or are ending.
        surviving: Elements that are still waiting or running.
        unknown: Elements of which it is not known whether they are queued; nothing was done about them.
        errors: Error messages, one line each.
    """

    canceled: tuple[SubmittedTask, ...] = ()
    surviving: tuple[SubmittedTask, ...] = ()
    unknown: tuple[SubmittedTask, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether no element may still be waiting or running."""
        return not (self.surviving or self.unknown or self.errors)


def select_tasks(runs: Iterable[RunStatus]) -> tuple[list[SubmittedTask], list[SubmittedTask]]:
    """Return the elements of runs that SLURM shows as waiting or running, and those that it does not show."""
    tasks = {run.task.label: run for run in runs if run.task is not None}
    shown = [run.task for run in tasks.values() if run.task is not None and run.job is not None]
    return shown, [run.task for run in tasks.values() if run.task is not None and run.job is None]


def cancel_tasks(runs: Sequence[RunStatus], *, default: str) -> Cancellation:
    """Cancel the elements that work on runs, and wait a few seconds until SLURM confirms it.

    Args:
        runs: Runs whose jobs are waiting or running, with the report about each job that has its name.
        default: Default cluster of this machine; empty if unknown.
    """
    shown, unknown = select_tasks(runs)
    routes: dict[str, set[tuple[str, int]]] = {}
    for task in shown:
        if task.target is not None:
            routes.setdefault(find_route(task, default=default), set()).add(task.target)
    errors = [error for route, targets in routes.items() for error in cancel_jobs(targets, cluster=route)]
    surviving = _wait_until_gone(shown)
    canceled = [task for task in shown if task not in surviving]
    return Cancellation(tuple(canceled), tuple(surviving), tuple(unknown), tuple(errors))


def _wait_until_gone(tasks: Sequence[SubmittedTask]) -> list[SubmittedTask]:
    """Return the elements that are still waiting or running after some seconds."""
    surviving = list(tasks)
    for pause in CONFIRM_PAUSES_S:
        time.sleep(pause)
        queue = query_queue(surviving)
        surviving = [task for task in surviving if _may_continue(task, queue)]
        if not surviving:
            break
    return surviving


def _may_continue(task: SubmittedTask, queue: GridQueue) -> bool:
    """Return whether an element may still be waiting or running."""
    job = queue.find_job(task)
    if job is None:
        return not queue.answers_for(task)
    return parse_state(job.state).phase in ("waiting", "running", "unknown")
