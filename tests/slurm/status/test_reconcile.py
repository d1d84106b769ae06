"""Failures of runs whose jobs ended without a record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.lock import hold_lock
from slurm.requests.manifest import Manifest, SentJob, Submission, SubmittedTask
from slurm.scheduler.job_info import JobInfo
from slurm.status.reconcile import reconcile
from slurm.status.run_status import RunStatus
from tests.core.machines import make_environment
from tests.report.world import spec_of

SPEC = spec_of()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("benchmark.store.environment.describe_environment", make_environment)
    store = Store(tmp_path / "runs")
    store.run(SPEC.id).write_spec(SPEC)
    return store


def _status(store: Store, state: str, *, run_state: RunState = RunState.FAILED, **ending: Any) -> RunStatus:
    numbers: dict[str, Any] = {
        "max_attempts_without_progress": 3,
        "concurrent_runs": 1,
        "threads": 1,
        "workers": 0,
        "grace_s": 5,
        "created": 0,
    }
    names: dict[str, Any] = {"id": "1-s-0123abcd", "study": "s", "profile": "p", "store": str(store.root)}
    manifest = Manifest(tasks=((SPEC.id,),), **numbers, **names)
    task = SubmittedTask(Submission(store.root, manifest, SentJob(job="7", time=0)), 0)
    job = JobInfo(job="7", task=0, name=manifest.name, state=state, source="sacct", **ending)
    return RunStatus(SPEC.id, run_state, "", task, job)


@pytest.mark.parametrize(
    ("state", "ending", "is_failure"),
    [
        ("OUT_OF_MEMORY", {"exit_code": 0, "signal": 125}, True),
        ("FAILED", {"exit_code": 127}, True),
        ("FAILED", {"exit_code": 1}, True),
        ("FAILED", {"exit_code": 137}, False),
        ("FAILED", {"exit_code": 0, "signal": 9}, False),
        ("FAILED", {"exit_code": 85}, False),
        ("FAILED", {"exit_code": 130}, False),
        ("CANCELLED", {}, False),
        ("NODE_FAIL", {"exit_code": 1}, False),
        ("PREEMPTED", {}, False),
        ("TIMEOUT", {}, False),
        ("COMPLETED", {"exit_code": 0}, False),
    ],
)
def test_only_a_job_that_would_end_the_same_way_again_is_a_failure(
    store: Store, state: str, ending: Any, is_failure: bool
) -> None:
    assert bool(reconcile(store, [_status(store, state, **ending)])) == is_failure
    assert (store.run(SPEC.id).read_state() == RunState.FAILED) == is_failure


def test_a_run_that_never_started_fails_with_the_log_of_its_job(store: Store) -> None:
    status = _status(store, "FAILED", exit_code=127)
    assert status.task is not None
    status.task.log_path.write_text("module: command not found\n")
    assert reconcile(store, [status]) == [SPEC.id]
    failure = store.run(SPEC.id).read_record().failure
    assert failure is not None and failure.kind == "FAILED" and "exit code 127" in failure.message
    assert failure.log_tail == "module: command not found"


def test_an_active_run_is_skipped(store: Store) -> None:
    with hold_lock(store.run(SPEC.id).path):
        assert reconcile(store, [_status(store, "OUT_OF_MEMORY")]) == []


def test_a_setup_that_ends_the_job_without_a_word_is_suspected(store: Store) -> None:
    assert reconcile(store, [_status(store, "FAILED", exit_code=3)]) == [SPEC.id]
    failure = store.run(SPEC.id).read_record().failure
    expected = "the job ended with exit code 3: read the log (before the run began: look at `setup` and `python` of"
    assert failure is not None and failure.message.startswith(expected)
