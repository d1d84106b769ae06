"""Jobs of submissions as the schedulers of their clusters report them: one query for each cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from benchmark.store.store import Store
from slurm.requests.manifest import SubmittedTask, ignore_problem, read_submissions
from slurm.scheduler.clusters import choose_route, find_default_cluster
from slurm.scheduler.job_info import JobInfo
from slurm.scheduler.queue import Accounting, JobHistory, QueueSnapshot, query_history, query_jobs


@dataclass(frozen=True)
class GridQueue:
    """Reports of the schedulers of all clusters.

    Attributes:
        snapshots: Report of each cluster, by the name that commands have to use for it.
        default: Name of the default cluster of this machine; empty if it did not have to be asked or does not answer.
        unreadable: One line about each submission that cannot be read; its runs count as not submitted.
    """

    snapshots: Mapping[str, QueueSnapshot] = field(default_factory=dict)
    default: str = ""
    unreadable: tuple[str, ...] = ()

    @property
    def reachable(self) -> bool:
        """Whether all schedulers answered."""
        return all(snapshot.reachable for snapshot in self.snapshots.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages for the user, one line each."""
        lines = [f"warning: {line}; its runs count as not submitted" for line in self.unreadable]
        return tuple(dict.fromkeys([*lines, *(note for shot in self.snapshots.values() for note in shot.notes)]))

    def answers_for(self, task: SubmittedTask) -> bool:
        """Return whether the scheduler of an element's cluster answered."""
        snapshot = self.snapshots.get(find_route(task, default=self.default))
        return snapshot is None or snapshot.reachable

    def find_job(self, task: SubmittedTask) -> JobInfo | None:
        """Return the report about an element; None if its scheduler does not know it."""
        snapshot = self.snapshots.get(find_route(task, default=self.default))
        if snapshot is None or task.target is None:
            return None
        # by name too: a scheduler that lost its state gives the same number to another job
        return snapshot.find_job(*task.target, name=task.submission.manifest.name)

    def has_forgotten(self, task: SubmittedTask) -> bool:
        """Return whether the scheduler shows the array of an element without it."""
        snapshot = self.snapshots.get(find_route(task, default=self.default))
        if snapshot is None or task.target is None:
            return False
        return snapshot.has_forgotten(*task.target, name=task.submission.manifest.name)


def find_route(task: SubmittedTask, *, default: str) -> str:
    """Return the cluster that commands have to name to reach an element; empty for the default cluster.

    Args:
        task: Element of a submitted array.
        default: Default cluster of this machine; empty if it does not answer.
    """
    cluster = task.submission.sent.cluster if task.submission.sent else ""
    return choose_route(cluster, default=default, requested=task.submission.manifest.clusters)


def query_queue(tasks: Iterable[SubmittedTask]) -> GridQueue:
    """Ask the scheduler of each cluster once about elements; those that are not known to be queued are left out."""
    sent = [task for task in tasks if task.target is not None]
    default = (
        find_default_cluster() if any(task.submission.sent.cluster for task in sent if task.submission.sent) else ""
    )
    snapshots = {}
    for route, members in _group_by_route(sent, default=default).items():
        since = min(task.submission.manifest.created for task in members)
        targets = {target for task in members if (target := task.target)}
        snapshots[route] = query_jobs(targets, since=since, cluster=route)
    return GridQueue(snapshots, default)


def query_grid_history(store: Store, run_ids: Collection[str]) -> JobHistory:
    """Return every start of the jobs that ever worked on runs, on all clusters; asks only accounting.

    Args:
        store: Store of the runs.
        run_ids: IDs of the runs.
    """
    wanted = set(run_ids)
    tasks = [
        SubmittedTask(submission, index)
        for submission in read_submissions(store, notify=ignore_problem)
        for _, index in submission.find_targets(wanted)
    ]
    if not tasks:
        return JobHistory((), "not asked")
    starts: list[JobInfo] = []
    notes: list[str] = []
    accounting: Accounting = "on"
    for route, members in _group_by_route(tasks, default=find_default_cluster()).items():
        since = min(task.submission.manifest.created for task in members)
        history = query_history({target for task in members if (target := task.target)}, since=since, cluster=route)
        names = {task.submission.manifest.name for task in members}
        starts += [start for start in history.starts if start.name in names]
        notes += history.notes
        accounting = history.accounting if history.accounting != "on" else accounting
    return JobHistory(tuple(starts), accounting, tuple(dict.fromkeys(notes)))


def _group_by_route(tasks: Iterable[SubmittedTask], *, default: str) -> dict[str, list[SubmittedTask]]:
    groups: dict[str, list[SubmittedTask]] = {}
    for task in tasks:
        groups.setdefault(find_route(task, default=default), []).append(task)
    return groups
