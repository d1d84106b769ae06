"""Where a run stands, from its files, the scheduler and the clock."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import Failure
from benchmark.store.store import Store
from benchmark.utils.lock import holding
from slurm.requests.manifest import Manifest, Place, Sent, Submission, mark_sent, write_manifest
from slurm.scheduler.job_info import JobView
from slurm.scheduler.queue import Sight
from slurm.status import run_status as looking
from slurm.status.run_status import Standing, judge, overview
from tests.report.world import even, save, spec_of

NOW = 1_000_000.0
SPEC = spec_of()


def _manifest(**changes: Any) -> Manifest:
    fields = {"id": "20260101-000000-s-0123abcd", "study": "s", "profile": "p", "created": NOW, "store": "/runs"}
    numbers = {"lives": 3, "at_once": 1, "threads": 1, "workers": 0, "grace_s": 5}
    return Manifest.model_validate(fields | numbers | {"tasks": [[SPEC.id]]} | changes)


def _place(*, sent: float | None = 0.0) -> Place:
    return Place(Submission(Path(), _manifest(), None if sent is None else Sent(job="7", time=sent)), 0)


def _view(state: str, **changes: Any) -> JobView:
    fields: dict[str, Any] = {"job": "7", "task": 0, "name": "cb-s-0123abcd", "state": state, "source": "squeue"}
    return JobView(**fields | changes)


@pytest.mark.parametrize(
    ("slurm", "files", "expected"),
    [
        ("PENDING", "missing", "waiting"),
        ("REQUEUE_HOLD", "interrupted", "waiting"),
        ("RUNNING", "missing", "running"),
        ("COMPLETING", "interrupted", "running"),
        ("SOMETHING_NEW", "interrupted", "unknown"),
        ("CANCELLED", "missing", "missing"),
        ("CANCELLED", "interrupted", "interrupted"),
        ("NODE_FAIL", "interrupted", "interrupted"),
        ("TIMEOUT", "running", "interrupted"),
    ],
)
def test_the_schedulers_word_and_the_files_say_where_a_run_stands(slurm: str, files: Any, expected: Standing) -> None:
    found, _ = judge(files, _place(), view=_view(slurm), reachable=True, silent_s=math.inf, now=NOW)
    assert found == expected


def test_a_process_that_outlives_its_job_still_runs() -> None:
    found, reason = judge("running", _place(), view=_view("NODE_FAIL"), reachable=True, silent_s=5, now=NOW)
    assert found == "running" and "lives on" in reason


@pytest.mark.parametrize("state", ["PREEMPTED", "NODE_FAIL"])
def test_while_the_controller_is_away_a_job_may_come_back(state: str) -> None:
    view = _view(state, source="sacct")
    assert judge("interrupted", _place(), view=view, reachable=False, silent_s=math.inf, now=NOW)[0] == "unknown"


@pytest.mark.parametrize(
    ("files", "sent", "reachable", "expected"),
    [
        ("missing", NOW - 5, True, "waiting"),
        ("missing", NOW - 500, True, "lost"),
        ("interrupted", NOW - 500, True, "interrupted"),
        ("running", NOW - 500, True, "running"),
        ("missing", NOW - 500, False, "unknown"),
        ("interrupted", NOW - 500, False, "unknown"),
        ("running", NOW - 500, False, "running"),
        ("missing", None, True, "unknown"),
    ],
)
def test_what_the_scheduler_does_not_know_is_not_a_failure(
    files: Any, sent: float | None, reachable: bool, expected: Standing
) -> None:
    found, _ = judge(files, _place(sent=sent), view=None, reachable=reachable, silent_s=math.inf, now=NOW)
    assert found == expected


def test_a_job_that_only_the_accounts_call_running_is_lost() -> None:
    view = _view("RUNNING", source="sacct")
    assert judge("missing", _place(), view=view, reachable=True, silent_s=math.inf, now=NOW)[0] == "lost"


class _Scheduler:
    """Answers `look`, and remembers what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *views: JobView) -> None:
        self.asked: list[Any] = []
        self._sight = Sight({(view.job, view.task): view for view in views}, reachable=True)
        monkeypatch.setattr(looking, "look", self)

    def __call__(self, wanted: Any, *, since: float) -> Sight:
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
    assert overview(store, [SPEC.id]).stands[0].state == "done"
    assert scheduler.asked == []


def test_another_job_with_the_same_number_is_not_ours(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _Scheduler(monkeypatch, _view("RUNNING", name="somebody-elses"))
    monkeypatch.setattr(looking, "GRACE_S", 0.0)
    _sent(store)
    assert overview(store, [SPEC.id]).stands[0].state == "lost"


def test_a_failure_that_was_sent_again_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = _Scheduler(monkeypatch, _view("PENDING"))
    store.begin_attempt(SPEC)
    save(store, SPEC, Failure(kind="ValueError", message="no"))
    _sent(store, attempts={SPEC.id: 1})
    assert overview(store, [SPEC.id]).stands[0].state == "waiting"
    assert scheduler.asked == [("7", 0)]


def test_a_failure_since_it_was_sent_is_its_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = _Scheduler(monkeypatch)
    _sent(store)
    store.begin_attempt(SPEC)
    save(store, SPEC, Failure(kind="ValueError", message="no"))
    assert overview(store, [SPEC.id]).stands[0].state == "failed"
    assert scheduler.asked == []


def test_runs_that_were_never_sent_stand_as_their_files_say(store: Store) -> None:
    with holding(store.folder(SPEC.id)):
        store.begin_attempt(SPEC)
        assert [stand.state for stand in overview(store, [SPEC.id, "other"]).stands] == ["running", "missing"]
