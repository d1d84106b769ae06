"""Jobs that ended without a word of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.lock import holding
from slurm.requests.manifest import Manifest, Place, Sent, Submission
from slurm.scheduler.job_info import JobInfo
from slurm.status.reconcile import job_log, settle
from slurm.status.run_status import RunStatus
from tests.report.world import environment, spec_of

SPEC = spec_of()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("benchmark.store.environment.describe_environment", environment)
    store = Store(tmp_path / "runs")
    store.run(SPEC.id).write_spec(SPEC)
    return store


def _stand(store: Store, state: str, *, standing: RunState = RunState.INTERRUPTED, **ending: Any) -> RunStatus:
    numbers: dict[str, Any] = {"lives": 3, "at_once": 1, "threads": 1, "workers": 0, "grace_s": 5, "created": 0}
    names: dict[str, Any] = {"id": "1-s-0123abcd", "study": "s", "profile": "p", "store": str(store.root)}
    manifest = Manifest(tasks=((SPEC.id,),), **numbers, **names)
    place = Place(Submission(store.root, manifest, Sent(job="7", time=0)), 0)
    view = JobInfo(job="7", task=0, name=manifest.name, state=state, source="sacct", **ending)
    return RunStatus(SPEC.id, standing, "", place, view)


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
def test_only_what_would_happen_again_is_a_failure(store: Store, state: str, ending: Any, is_failure: bool) -> None:
    assert bool(settle(store, [_stand(store, state, **ending)])) == is_failure
    assert (store.run(SPEC.id).read_state() == RunState.FAILED) == is_failure


def test_a_run_that_never_began_fails_with_the_log_of_its_job(store: Store) -> None:
    stand = _stand(store, "FAILED", standing=RunState.MISSING, exit_code=127)
    assert stand.place is not None
    job_log(stand.place).write_text("module: command not found\n")
    assert settle(store, [stand]) == [SPEC.id]
    failure = store.run(SPEC.id).read_record().failure
    assert failure is not None and failure.kind == "FAILED" and "exit code 127" in failure.message
    assert failure.log_tail == "module: command not found"


def test_a_run_that_somebody_works_on_is_left_alone(store: Store) -> None:
    with holding(store.run(SPEC.id).path):
        assert settle(store, [_stand(store, "OUT_OF_MEMORY")]) == []
