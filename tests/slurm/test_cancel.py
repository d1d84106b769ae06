"""Cancellation counts only what SLURM confirms, and touches only jobs that have the right name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmark.store.store import Store
from slurm import cancel
from slurm.requests.manifest import mark_sent, write_manifest
from slurm.scheduler.job_info import NO_ARRAY, JobInfo
from slurm.scheduler.queue import JobTarget, QueueSnapshot
from slurm.status import grid_queue
from slurm.status.run_status import query_status
from tests.cli.shell import run_command
from tests.slurm.status.test_run_status import SPEC
from tests.slurm.status.test_run_status import _manifest as manifest

Capsys = pytest.CaptureFixture[str]


class Scheduler:
    """Scheduler with one job, which ends when it is canceled unless it is immortal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name, self.state, self.task, self.is_immortal = manifest().name, "RUNNING", 0, False
        self.canceled: set[JobTarget] = set()
        monkeypatch.setattr(grid_queue, "query_jobs", self.query)
        monkeypatch.setattr(cancel, "cancel_jobs", self.cancel)
        monkeypatch.setattr(cancel, "CONFIRM_PAUSES_S", (0.0, 0.0))

    def query(self, _targets: Iterable[JobTarget], *, since: float, cluster: str) -> QueueSnapshot:
        job = JobInfo(job="7", task=self.task, name=self.name, state=self.state)
        return QueueSnapshot({(job.job, job.task): job}, reachable=True)

    def cancel(self, targets: set[JobTarget], *, cluster: str) -> tuple[str, ...]:
        self.canceled |= targets
        if not self.is_immortal:
            self.state, self.task = "CANCELLED", NO_ARRAY
        return ()


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Scheduler:
    return Scheduler(monkeypatch)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Store with a run that was just submitted as element 0 of job 7."""
    monkeypatch.chdir(tmp_path)
    store = Store(Path("runs"))
    store.run(SPEC.id).write_spec(SPEC)
    mark_sent(write_manifest(store, manifest()).parent, "7")
    return store


def test_a_canceled_run_can_be_submitted_at_once(store: Store, scheduler: Scheduler, capsys: Capsys) -> None:
    result = run_command(capsys, "cancel", SPEC.id)
    assert (result.code, result.out) == (0, "1 run in 1 job canceled\n")
    assert query_status(store, [SPEC.id]).runs[0].state.is_startable


def test_a_job_that_survives_is_no_success(store: Store, scheduler: Scheduler, capsys: Capsys) -> None:
    scheduler.is_immortal = True
    result = run_command(capsys, "cancel", SPEC.id)
    assert result.code == 1 and "still in the queue: 7_0" in result.err
    assert result.out == "0 runs in 0 jobs canceled\n"


def test_a_job_that_is_ending_is_not_canceled_again(store: Store, scheduler: Scheduler, capsys: Capsys) -> None:
    scheduler.state = "COMPLETING"
    result = run_command(capsys, "cancel", SPEC.id)
    assert scheduler.canceled == set() and "1 run ending already" in result.err
    assert (result.code, result.out) == (0, "0 runs in 0 jobs canceled\n")


def test_a_submission_that_was_cut_short_is_called_so(store: Store, scheduler: Scheduler, capsys: Capsys) -> None:
    next(store.root.glob("submissions/*/job.json")).unlink()
    result = run_command(capsys, "cancel", SPEC.id)
    expected = "not canceled: the submission of 1 run was cut short; the next submit looks for the job"
    assert result.code == 1 and expected in result.err and "an element of" not in result.err


def test_another_job_of_the_same_number_is_left_alone(store: Store, scheduler: Scheduler, capsys: Capsys) -> None:
    scheduler.name = "cb-another-ffffffff"
    result = run_command(capsys, "cancel", SPEC.id)
    assert scheduler.canceled == set()
    assert result.code == 1 and "not canceled" in result.err
