"""Where a run stands, from its files, the scheduler and the clock."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.lock import holding
from slurm.requests.manifest import Manifest, Place, Sent, Submission, mark_sent, write_manifest
from slurm.scheduler.job_info import JobInfo
from slurm.scheduler.queue import QueueSnapshot
from slurm.status import run_status as looking
from slurm.status.run_status import judge, overview
from tests.report.world import even, save, spec_of

NOW = 1_000_000.0
SPEC = spec_of()


def _manifest(**changes: Any) -> Manifest:
    fields = {"id": "20260101-000000-s-0123abcd", "study": "s", "profile": "p", "created": NOW, "store": "/runs"}
    numbers = {"lives": 3, "at_once": 1, "threads": 1, "workers": 0, "grace_s": 5}
    return Manifest.model_validate(fields | numbers | {"tasks": [[SPEC.id]]} | changes)


def _place(*, sent: float | None = 0.0) -> Place:
    return Place(Submission(Path(), _manifest(), None if sent is None else Sent(job="7", time=sent)), 0)


def _view(state: str, **changes: Any) -> JobInfo:
    fields: dict[str, Any] = {"job": "7", "task": 0, "name": "cb-s-0123abcd", "state": state, "source": "squeue"}
    return JobInfo(**fields | changes)


@pytest.mark.parametrize(
    ("slurm", "files", "expected"),
    [
        ("PENDING", RunState.MISSING, RunState.WAITING),
        ("REQUEUE_HOLD", RunState.INTERRUPTED, RunState.WAITING),
        ("RUNNING", RunState.MISSING, RunState.RUNNING),
        ("COMPLETING", RunState.INTERRUPTED, RunState.RUNNING),
        ("SOMETHING_NEW", RunState.INTERRUPTED, RunState.UNKNOWN),
        ("CANCELLED", RunState.MISSING, RunState.MISSING),
        ("CANCELLED", RunState.INTERRUPTED, RunState.INTERRUPTED),
        ("NODE_FAIL", RunState.INTERRUPTED, RunState.INTERRUPTED),
        ("TIMEOUT", RunState.RUNNING, RunState.INTERRUPTED),
    ],
)
def test_the_schedulers_word_and_the_files_say_where_a_run_stands(slurm: str, files: Any, expected: RunState) -> None:
    found, _ = judge(files, _place(), view=_view(slurm), reachable=True, silent_s=math.inf, now=NOW)
    assert found == expected


def test_a_process_that_outlives_its_job_still_runs() -> None:
    found, reason = judge(RunState.RUNNING, _place(), view=_view("NODE_FAIL"), reachable=True, silent_s=5, now=NOW)
    assert found == "running" and "lives on" in reason


@pytest.mark.parametrize("state", ["PREEMPTED", "NODE_FAIL"])
def test_while_the_controller_is_away_a_job_may_come_back(state: str) -> None:
    view = _view(state, source="sacct")
    assert judge(RunState.INTERRUPTED, _place(), view=view, reachable=False, silent_s=math.inf, now=NOW)[0] == RunState.UNKNOWN


@pytest.mark.parametrize(
    ("files", "sent", "reachable", "expected"),
    [
        (RunState.MISSING, NOW - 5, True, RunState.WAITING),
        (RunState.MISSING, NOW - 500, True, RunState.LOST),
        (RunState.INTERRUPTED, NOW - 500, True, RunState.INTERRUPTED),
        (RunState.RUNNING, NOW - 500, True, RunState.RUNNING),
        (RunState.MISSING, NOW - 500, False, RunState.UNKNOWN),
        (RunState.INTERRUPTED, NOW - 500, False, RunState.UNKNOWN),
        (RunState.RUNNING, NOW - 500, False, RunState.RUNNING),
        (RunState.MISSING, None, True, RunState.UNKNOWN),
    ],
)
def test_what_the_scheduler_does_not_know_is_not_a_failure(
    files: Any, sent: float | None, reachable: bool, expected: RunState
) -> None:
    found, _ = judge(files, _place(sent=sent), view=None, reachable=reachable, silent_s=math.inf, now=NOW)
    assert found == expected


def test_a_job_that_only_the_accounts_call_running_is_lost() -> None:
    view = _view("RUNNING", source="sacct")
    assert judge(RunState.MISSING, _place(), view=view, reachable=True, silent_s=math.inf, now=NOW)[0] == RunState.LOST


class _Scheduler:
    """Answers `look`, and remembers what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *views: JobInfo) -> None:
        self.asked: list[Any] = []
        self._sight = QueueSnapshot({(view.job, view.task): view for view in views}, reachable=True)
        monkeypatch.setattr(looking, "look", self)

    def __call__(self, wanted: Any, *, since: float) -> QueueSnapshot:
        self.asked += wanted
        return self._sight


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def _sent(store: Store, **changes: Any) -> None:
    mark_sent(write_manifest(store, _manifest(**changes)).parent, "7")


def test_the_scheduler_is_not_asked_about_runs_that_have_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = _Scheduler(monkeypatch)
    _sent(store)
    save(store, SPEC, even(80, 60))
    assert overview(store, [SPEC.id]).stands[0].state == RunState.DONE
    assert scheduler.asked == []


def test_another_job_with_the_same_number_is_not_ours(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _Scheduler(monkeypatch, _view("RUNNING", name="somebody-elses"))
    monkeypatch.setattr(looking, "GRACE_S", 0.0)
    _sent(store)
    assert overview(store, [SPEC.id]).stands[0].state == RunState.LOST


def test_a_failure_that_was_sent_again_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = _Scheduler(monkeypatch, _view("PENDING"))
    store.run(SPEC.id).begin_attempt(SPEC)
    save(store, SPEC, Failure(kind="ValueError", message="no"))
    _sent(store, attempts={SPEC.id: 1})
    assert overview(store, [SPEC.id]).stands[0].state == RunState.WAITING
    assert scheduler.asked == [("7", 0)]


def test_a_failure_since_it_was_sent_is_its_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = _Scheduler(monkeypatch)
    _sent(store)
    store.run(SPEC.id).begin_attempt(SPEC)
    save(store, SPEC, Failure(kind="ValueError", message="no"))
    assert overview(store, [SPEC.id]).stands[0].state == RunState.FAILED
    assert scheduler.asked == []


def test_runs_that_were_never_sent_stand_as_their_files_say(store: Store) -> None:
    with holding(store.run(SPEC.id).path):
        store.run(SPEC.id).begin_attempt(SPEC)
        assert [stand.state for stand in overview(store, [SPEC.id, "other"]).stands] == [RunState.RUNNING, RunState.MISSING]
