"""Submission with a scheduler that starts nothing; tests/slurm/scenarios has a real one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.lock import BusyError, hold_lock
from slurm import adoption, dispatch
from slurm import submit as submission
from slurm.grid import Grid
from slurm.requests import manifest as manifests
from slurm.requests.profile import SlurmProfile
from slurm.requests.sbatch import ArrayRequest
from slurm.requests.sbatch_output import (
    QueuedArray,
    QueueFullError,
    SubmissionRefusedError,
    SubmissionUncertainError,
)
from slurm.scheduler.cluster_config import ClusterConfig
from slurm.scheduler.job_info import JobInfo
from slurm.scheduler.queue import JobHistory, QueueSnapshot
from slurm.status import grid_queue
from slurm.submit import submit
from tests.report.world import even, save, spec_of

SPECS = {spec.id: spec for spec in map(lambda seed: spec_of(seed=seed), range(4))}
IDS = list(SPECS)


class FakeScheduler:
    """Scheduler that accepts everything and starts nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[ArrayRequest] = []
        self.error: Exception | None = None
        self.is_reachable, self.state = True, "PENDING"
        config = ClusterConfig(cluster="lab", max_array_size=2)
        monkeypatch.setattr(dispatch, "deliver_array", self.send)
        monkeypatch.setattr(submission, "query_cluster_config", lambda *, cluster: config)
        monkeypatch.setattr(adoption, "find_jobs", lambda _prefix, *, since, cluster: self.snapshot)
        monkeypatch.setattr(grid_queue, "query_jobs", lambda _targets, *, since, cluster: self.snapshot)
        monkeypatch.setattr(grid_queue, "query_history", lambda _targets, *, since, cluster: JobHistory((), "off"))
        monkeypatch.setattr(submission, "count_queued", lambda *, cluster: len(self.snapshot.jobs))
        for module in (adoption, grid_queue, submission):
            monkeypatch.setattr(module, "find_default_cluster", lambda: "lab")

    def send(self, request: ArrayRequest) -> QueuedArray:
        if self.error is not None and not isinstance(self.error, SubmissionUncertainError):
            raise self.error
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return QueuedArray(str(100 + len(self.requests)))

    @property
    def snapshot(self) -> QueueSnapshot:
        jobs = [
            JobInfo(job=str(101 + position), task=task, name=request.name, state=self.state, source="squeue")
            for position, request in enumerate(self.requests)
            for task in range(request.tasks)
        ]
        return QueueSnapshot({(job.job, job.task): job for job in jobs}, reachable=self.is_reachable)


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> FakeScheduler:
    return FakeScheduler(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def _specs(ids: Sequence[str]) -> list[RunSpec]:
    return [SPECS[run_id] for run_id in ids]


def _grid(store: Store, *, retry: bool = False, max_submit: int = 0, **base: Any) -> Grid:
    fields = {"name": "p", "executor": "slurm", "base": base, "max_submit": max_submit}
    return Grid(IDS, _specs, store=store, study="s", profile=SlurmProfile.model_validate(fields), retry=retry)


def test_everything_is_written_before_anything_is_sent(store: Store, scheduler: FakeScheduler) -> None:
    scheduler.error = SubmissionRefusedError("no such partition")
    with pytest.raises(SubmissionRefusedError):
        submit(_grid(store))
    assert store.run(IDS[0]).read_spec() == SPECS[IDS[0]]
    assert list(manifests.read_submissions(store)) == []


def test_submitted_runs_are_not_submitted_again(store: Store, scheduler: FakeScheduler) -> None:
    assert submit(_grid(store)).num_sent == 4
    assert [request.tasks for request in scheduler.requests] == [2, 2]
    assert submit(_grid(store)).num_sent == 0
    assert [run.state for run in submit(_grid(store)).before.runs] == [RunState.WAITING] * 4


def test_finished_and_active_runs_are_not_submitted(store: Store, scheduler: FakeScheduler) -> None:
    save(store, SPECS[IDS[0]], even(80, 60))
    with hold_lock(store.run(IDS[1]).path):
        assert submit(_grid(store)).num_sent == 2


@pytest.mark.parametrize(("retry", "sent"), [(False, 3), (True, 4)])
def test_failed_runs_are_submitted_again_only_on_request(
    store: Store, scheduler: FakeScheduler, retry: bool, sent: int
) -> None:
    store.run(SPECS[IDS[0]].id).begin_attempt(SPECS[IDS[0]])
    save(store, SPECS[IDS[0]], Failure(kind="ValueError", message="no"))
    receipt = submit(_grid(store, retry=retry))
    assert receipt.num_sent == sent
    assert any(sent.manifest.attempts == {IDS[0]: 1} for sent in receipt.sent) == retry


def test_a_job_whose_submitter_died_is_found_by_its_name(store: Store, scheduler: FakeScheduler) -> None:
    submit(_grid(store))
    for sent in manifests.read_submissions(store):
        (sent.folder / "job.json").unlink()
    receipt = submit(_grid(store))
    assert (receipt.adopted, receipt.num_sent) == (2, 0)


def test_a_submission_that_never_reached_the_scheduler_is_repeated(store: Store, scheduler: FakeScheduler) -> None:
    submit(_grid(store))
    for sent in manifests.read_submissions(store):
        (sent.folder / "job.json").unlink()
    scheduler.requests.clear()
    receipt = submit(_grid(store))
    assert (receipt.adopted, receipt.num_sent) == (0, 4)


def test_after_a_lost_answer_the_next_submit_finds_the_job(store: Store, scheduler: FakeScheduler) -> None:
    scheduler.error = SubmissionUncertainError("sbatch did not answer")
    with pytest.raises(SubmissionUncertainError):
        submit(_grid(store))
    scheduler.error = None
    receipt = submit(_grid(store))
    assert (receipt.adopted, receipt.num_sent) == (1, 2)


def test_nothing_is_sent_while_an_earlier_submission_is_uncertain(store: Store, scheduler: FakeScheduler) -> None:
    scheduler.error = SubmissionUncertainError("sbatch did not answer")
    with pytest.raises(SubmissionUncertainError):
        submit(_grid(store))
    scheduler.error, scheduler.is_reachable = None, False
    with pytest.raises(SubmissionUncertainError, match="does not answer"):
        submit(_grid(store))


def test_runs_that_the_queue_has_no_room_for_are_submitted_later(store: Store, scheduler: FakeScheduler) -> None:
    receipt = submit(_grid(store, max_submit=3))
    assert (receipt.num_sent, receipt.num_waiting) == (3, 1)
    assert submit(_grid(store, max_submit=4)).num_sent == 1


def test_a_limit_that_only_the_scheduler_knows_is_not_an_error(store: Store, scheduler: FakeScheduler) -> None:
    scheduler.error = QueueFullError("QOSMaxSubmitJobPerUserLimit")
    receipt = submit(_grid(store))
    assert (receipt.num_sent, receipt.num_waiting) == (0, 4)


def test_a_second_submitter_waits_and_then_reports_the_first(
    store: Store, scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "LOCK_TIMEOUT_S", 0.3)
    with hold_lock(store.root / manifests.FOLDER), pytest.raises(BusyError, match="another submitter"):
        submit(_grid(store))
    assert scheduler.requests == []


def test_the_lock_of_a_process_that_the_scheduler_gave_up_is_removed(store: Store, scheduler: FakeScheduler) -> None:
    submit(_grid(store))
    store.run(SPECS[IDS[0]].id).begin_attempt(SPECS[IDS[0]])
    lock = store.run(IDS[0]).path / "lock"
    lock.write_text('{"pid": 1, "host": "elsewhere"}')
    assert submit(_grid(store)).num_sent == 0 and lock.exists()
    scheduler.state = "NODE_FAIL"
    assert submit(_grid(store)).num_sent == 4 and not lock.exists()


@pytest.mark.parametrize(("base", "refused"), [({}, True), ({"python": "/opt/env/bin/python"}, False)])
def test_a_missing_engine_is_refused_before_anything_is_sent(
    store: Store, scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch, base: dict, refused: bool
) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    specs = [spec.model_copy(update={"engine": "detectron2"}) for spec in SPECS.values()]
    grid = replace(_grid(store, **base), ids=[spec.id for spec in specs], specs=lambda _: specs)
    with pytest.raises(ValueError, match="Detectron2 is not installed") if refused else nullcontext():
        submit(grid)
    assert bool(scheduler.requests) is not refused
