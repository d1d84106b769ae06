"""Jobs on several clusters: numbers alone do not tell them apart."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from slurm.requests.manifest import mark_sent, write_manifest
from slurm.scheduler.job_info import JobInfo
from slurm.scheduler.queue import JobHistory, JobTarget, QueueSnapshot
from slurm.status import grid_queue
from slurm.status.grid_queue import query_grid_history
from slurm.status.run_status import query_status
from tests.report.world import spec_of
from tests.slurm.status.test_run_status import _manifest as manifest

SPECS = [spec_of(seed=seed) for seed in range(2)]
NAMES = ["1-s-0000aaaa", "1-s-0000bbbb"]


class Clusters:
    """Clusters lab, the default, and big, with jobs of the same number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queried: dict[str, set[JobTarget]] = {}
        self.down: set[str] = set()
        monkeypatch.setattr(grid_queue, "query_jobs", self.query)
        monkeypatch.setattr(grid_queue, "query_history", self.query_history)
        monkeypatch.setattr(grid_queue, "find_default_cluster", lambda: "lab")

    def query(self, targets: Iterable[JobTarget], *, since: float, cluster: str) -> QueueSnapshot:
        self.queried[cluster] = set(targets)
        jobs = {} if cluster in self.down else {("7", 0): self.job(cluster)}
        return QueueSnapshot(jobs, reachable=cluster not in self.down, notes=("down",) if cluster in self.down else ())

    def query_history(self, targets: Iterable[JobTarget], *, since: float, cluster: str) -> JobHistory:
        return JobHistory((self.job(cluster),), "on")

    def job(self, cluster: str) -> JobInfo:
        name, state = ("cb-s-0000bbbb", "RUNNING") if cluster == "big" else ("cb-s-0000aaaa", "PENDING")
        return JobInfo(job="7", task=0, name=name, state=state)


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch) -> Clusters:
    return Clusters(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Store with one run on each cluster, in jobs of the same number."""
    store = Store(tmp_path / "runs")
    for spec, name, cluster in zip(SPECS, NAMES, ("lab", "big"), strict=True):
        written = write_manifest(store, manifest(id=name, tasks=[[spec.id]], clusters=cluster))
        mark_sent(written.parent, "7", cluster=cluster)
    return store


def test_jobs_of_the_same_number_are_asked_for_on_their_own_clusters(store: Store, clusters: Clusters) -> None:
    status = query_status(store, [spec.id for spec in SPECS])
    assert [run.state for run in status.runs] == [RunState.WAITING, RunState.RUNNING]
    assert clusters.queried == {"": {("7", 0)}, "big": {("7", 0)}}


def test_a_cluster_that_is_down_says_nothing_about_the_others(store: Store, clusters: Clusters) -> None:
    clusters.down = {"big"}
    status = query_status(store, [spec.id for spec in SPECS])
    assert [run.state for run in status.runs] == [RunState.WAITING, RunState.UNKNOWN]
    assert not status.queue.reachable and status.queue.notes == ("down",)


def test_the_history_is_asked_for_on_each_cluster(store: Store, clusters: Clusters) -> None:
    names = {start.name for start in query_grid_history(store, {spec.id for spec in SPECS}).starts}
    assert names == {"cb-s-0000aaaa", "cb-s-0000bbbb"}
