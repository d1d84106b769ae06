"""How workers are started: with which search path, and with which output."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmark.core.run_state import RunState
from benchmark.execution.local_pool import run_all
from benchmark.execution.worker_process import WorkerResources, make_worker_environment, start_worker
from benchmark.store.store import Store
from benchmark.utils.paths import ROOT
from tests.report.world import spec_of

SPEC = spec_of()
HOSTILE = 'raise SystemExit("the file of the user was run")\n'


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Store beside a working folder whose files are called like modules."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("benchmark", "methods", "slurm", "logging", "json", "torch"):
        (folder / f"{name}.py").write_text(HOSTILE)
    monkeypatch.chdir(folder)
    return Store(tmp_path / "runs")


def test_files_of_the_working_folder_are_not_modules(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f":{os.environ.get('PYTHONPATH', '')}::")
    assert start_worker(SPEC, store=store, resources=WorkerResources()).wait() == 3
    failure = store.run(SPEC.id).read_record().failure
    assert failure is not None and "the file of the user" not in failure.log_tail


def test_this_package_comes_first_and_the_working_folder_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f":/mine::{ROOT}:/other:")
    assert make_worker_environment(WorkerResources())["PYTHONPATH"] == f"{ROOT}:/mine:/other"


def test_what_a_worker_prints_before_its_log_is_open_reaches_the_record(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shadow" / "pydantic").mkdir(parents=True)
    (tmp_path / "shadow" / "pydantic" / "__init__.py").write_text('raise ImportError("no pydantic here")\n')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shadow"))
    assert run_all([SPEC], store=store)[SPEC.id].state is RunState.FAILED
    failure = store.run(SPEC.id).read_record().failure
    assert failure is not None and "ImportError: no pydantic here" in failure.log_tail
