"""Status of a run, from its files, the scheduler and the clock."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.lock import hold_lock
from benchmark.utils.paths import ROOT
from slurm.requests.manifest import Manifest, SentJob, Submission, SubmittedTask, mark_sent, write_manifest
from slurm.scheduler.job_info import JobInfo
from slurm.scheduler.queue import QueueSnapshot
from slurm.status import grid_queue, run_status
from slurm.status.run_status import RunStatus, decide_state, list_advice, query_status
from tests.report.world import even, save, spec_of

NOW = 1_000_000.0
SPEC = spec_of()


def _manifest(**changes: Any) -> Manifest:
    fields = {"id": "20260101-000000-s-0123abcd", "study": "s", "profile": "p", "created": NOW, "store": "/runs"}
    numbers = {"max_attempts_without_progress": 3, "concurrent_runs": 1, "threads": 1, "workers": 0, "grace_s": 5}
    return Manifest.model_validate(fields | numbers | {"tasks": [[SPEC.id]]} | changes)


def _task(*, sent: float | None = 0.0) -> SubmittedTask:
    return SubmittedTask(Submission(Path(), _manifest(), None if sent is None else SentJob(job="7", time=sent)), 0)


def _job(state: str, **changes: Any) -> JobInfo:
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
def test_the_state_follows_from_the_scheduler_and_the_files(slurm: str, files: Any, expected: RunState) -> None:
    state, _ = decide_state(files, _task(), job=_job(slurm), reachable=True, silent_s=math.inf, now=NOW)
    assert state == expected


def test_a_process_that_outlives_its_job_is_still_running() -> None:
    state, reason = decide_state(RunState.RUNNING, _task(), job=_job("NODE_FAIL"), reachable=True, silent_s=5, now=NOW)
    assert state == "running" and "its process sends heartbeats" in reason


@pytest.mark.parametrize("state", ["PREEMPTED", "NODE_FAIL"])
def test_while_the_controller_is_down_a_job_may_return(state: str) -> None:
    job = _job(state, source="sacct")
    assert (
        decide_state(RunState.INTERRUPTED, _task(), job=job, reachable=False, silent_s=math.inf, now=NOW)[0]
        == RunState.UNKNOWN
    )


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
def test_a_job_that_the_scheduler_does_not_know_is_not_a_failure(
    files: Any, sent: float | None, reachable: bool, expected: RunState
) -> None:
    state, _ = decide_state(files, _task(sent=sent), job=None, reachable=reachable, silent_s=math.inf, now=NOW)
    assert state == expected


@pytest.mark.parametrize("files", [RunState.MISSING, RunState.INTERRUPTED])
@pytest.mark.parametrize(
    ("code", "expected"), [(3, RunState.FAILED), (127, RunState.FAILED), (130, None), (85, None), (0, None)]
)
def test_a_run_whose_job_failed_has_failed_before_its_record_is_written(
    files: RunState, code: int, expected: RunState | None
) -> None:
    job = _job("FAILED", exit_code=code)
    state, reason = decide_state(files, _task(), job=job, reachable=True, silent_s=math.inf, now=NOW)
    assert state is (expected or files) and reason.startswith("its job ended: FAILED")


def test_an_element_whose_array_is_shown_without_it_does_not_wait() -> None:
    scheduler: Any = {"job": None, "reachable": True, "silent_s": math.inf, "now": NOW}
    state, reason = decide_state(RunState.MISSING, _task(sent=NOW - 1), **scheduler, is_forgotten=True)
    assert state is RunState.MISSING and "canceled before it started" in reason
    assert decide_state(RunState.MISSING, _task(sent=NOW - 1), **scheduler)[0] is RunState.WAITING


def test_a_waiting_run_says_why_in_plain_words() -> None:
    job = _job("PENDING", reason="Priority", restarts=1)
    _, reason = decide_state(RunState.MISSING, _task(), job=job, reachable=True, silent_s=math.inf, now=NOW)
    assert reason == "its job waits because other jobs are ahead in the queue (Priority), start 2"


def test_advice_names_the_jobs_once_for_each_reason() -> None:
    held = [_job("PENDING", reason="JobHeldUser", job=job) for job in ("7", "7", "8")]
    jobs = [*held, _job("PENDING", reason="Resources")]
    runs = [RunStatus(str(number), RunState.WAITING, job=job) for number, job in enumerate(jobs)]
    assert list_advice(runs) == ["JobHeldUser: let it start with `scontrol release 7,8`"]


def test_a_job_that_is_running_only_in_accounting_is_lost() -> None:
    job = _job("RUNNING", source="sacct")
    assert (
        decide_state(RunState.MISSING, _task(), job=job, reachable=True, silent_s=math.inf, now=NOW)[0] == RunState.LOST
    )


class _Scheduler:
    """Replacement for `query_jobs` that records its targets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *jobs: JobInfo) -> None:
        self.queried: list[Any] = []
        self._snapshot = QueueSnapshot({(job.job, job.task): job for job in jobs}, reachable=True)
        monkeypatch.setattr(grid_queue, "query_jobs", self)

    def __call__(self, targets: Any, *, since: float, cluster: str) -> QueueSnapshot:
        self.queried += targets
        return self._snapshot


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def _submit(store: Store, **changes: Any) -> None:
    mark_sent(write_manifest(store, _manifest(**changes)).parent, "7")


def test_the_scheduler_is_not_queried_for_runs_that_have_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = _Scheduler(monkeypatch)
    _submit(store)
    save(store, SPEC, even(80, 60))
    assert query_status(store, [SPEC.id]).runs[0].state == RunState.DONE
    assert scheduler.queried == []


def test_another_job_with_the_same_id_is_not_ours(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _Scheduler(monkeypatch, _job("RUNNING", name="not-ours"))
    monkeypatch.setattr(run_status, "QUEUE_DELAY_S", 0.0)
    _submit(store)
    assert query_status(store, [SPEC.id]).runs[0].state == RunState.LOST


def test_a_failed_run_that_was_submitted_again_is_waiting(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = _Scheduler(monkeypatch, _job("PENDING"))
    store.run(SPEC.id).begin_attempt(SPEC)
    save(store, SPEC, Failure(kind="ValueError", message="no"))
    _submit(store, attempts={SPEC.id: 1})
    assert query_status(store, [SPEC.id]).runs[0].state == RunState.WAITING
    assert scheduler.queried == [("7", 0)]


def test_a_failure_after_the_submission_is_final(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = _Scheduler(monkeypatch)
    _submit(store)
    store.run(SPEC.id).begin_attempt(SPEC)
    save(store, SPEC, Failure(kind="ValueError", message="no"))
    assert query_status(store, [SPEC.id]).runs[0].state == RunState.FAILED
    assert scheduler.queried == []


def test_the_state_of_runs_that_were_never_submitted_follows_from_their_files(store: Store) -> None:
    with hold_lock(store.run(SPEC.id).path):
        store.run(SPEC.id).begin_attempt(SPEC)
        assert [run.state for run in query_status(store, [SPEC.id, "other"]).runs] == [
            RunState.RUNNING,
            RunState.MISSING,
        ]


def test_the_readme_explains_every_state_of_a_run_in_order() -> None:
    text = (ROOT / "slurm" / "README.md").read_text(encoding="utf-8")
    rows = text.split("## What the states of a run mean")[1].split("##")[0].split("|---|---|---|")[1]
    assert re.findall(r"^\| (\w+) \|", rows, flags=re.MULTILINE) == [state.value for state in RunState]


def test_a_submission_that_cannot_be_read_is_named_and_hides_no_run(store: Store) -> None:
    _submit(store)
    path = next(store.root.glob("submissions/*/manifest.json"))
    path.write_text("{")
    status = query_status(store, [SPEC.id])
    assert status.runs[0].task is None
    (note,) = status.queue.notes
    assert "manifest.json is broken" in note and note.endswith("its runs count as not submitted")
