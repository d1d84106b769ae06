"""One task of an array element, with processes that only exit; tests/slurm/scenarios has real ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from slurm import job
from slurm.requests.manifest import Manifest
from tests.report.world import spec_of

SPEC = spec_of()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "runs")
    store.run(SPEC.id).write_spec(SPEC)
    return store


def _run_task(store: Store, monkeypatch: pytest.MonkeyPatch, *, code: int, rank: int = 0) -> int:
    """Return the exit code of one task of a run over two tasks whose process ends with `code`."""

    def start(*_: object, **__: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])

    monkeypatch.setattr(job, "start_worker", start)
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_PROCID", str(rank))
    fields: dict[str, Any] = {
        "id": "1-s-0123abcd",
        "study": "s",
        "profile": "p",
        "created": 0,
        "store": str(store.root),
    }
    numbers: dict[str, Any] = {
        "max_attempts_without_progress": 2,
        "concurrent_runs": 1,
        "threads": 1,
        "workers": 0,
        "grace_s": 5,
    }
    return job._run_element(Manifest(tasks=((SPEC.id,),), **fields, **numbers), [SPEC.id])


@pytest.mark.parametrize("code", [ExitCode.BUSY, ExitCode.SUPERSEDED])
def test_a_spread_run_of_another_process_is_neither_restarted_nor_taken_over(
    store: Store, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store.run(SPEC.id).begin_attempt(SPEC)
    assert _run_task(store, monkeypatch, code=code) == ExitCode.FINISHED_WITH_FAILURES
    assert len(store.run(SPEC.id).read_attempts()) == 1


def test_a_spread_run_whose_process_dies_early_fails_after_its_last_attempt(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [_run_task(store, monkeypatch, code=1) for _ in range(2)] == [ExitCode.REQUEUE] * 2
    assert len(store.run(SPEC.id).read_attempts()) == 2
    assert _run_task(store, monkeypatch, code=1) == ExitCode.FINISHED_WITH_FAILURES
    failure = store.run(SPEC.id).read_record().failure
    assert failure is not None and failure.kind == "no progress"


def test_a_later_task_whose_process_dies_requeues_the_element(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run_task(store, monkeypatch, code=1, rank=1) == ExitCode.REQUEUE
    assert store.run(SPEC.id).read_attempts() == []
