"""A run fails if its code is not the code that was submitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.execution import submitted_code, worker
from benchmark.execution.submitted_code import digest_code, digest_codes, explain_other_code
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from tests.report.world import spec_of

SPEC = spec_of()


def test_runs_that_differ_in_their_seed_have_the_same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def describe_code(spec: RunSpec) -> dict[str, str]:
        calls.append(spec.variant)
        return {"a.py": "12"}

    monkeypatch.setattr(submitted_code, "describe_code", describe_code)
    specs = [spec_of(variant, seed=seed) for variant in ("one", "two") for seed in range(3)]
    assert set(digest_codes(specs)) == {spec.id for spec in specs}
    assert calls == ["one", "two"]


def test_every_file_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for code in ({"a.py": "12"}, {"a.py": "34"}, {"b.py": "12"}, {"a.py": "12", "b.py": ""}):
        monkeypatch.setattr(submitted_code, "describe_code", lambda _, code=code: code)
        digests.append(digest_code(SPEC))
    assert len(set(digests)) == 4


def test_the_submitted_code_is_no_failure() -> None:
    assert explain_other_code(SPEC, submitted=digest_code(SPEC)) is None


def test_a_worker_with_other_code_computes_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "redirect_output", lambda _: None)
    monkeypatch.setattr(worker, "_set_up_logging", lambda: None)
    store = Store(tmp_path / "runs")
    spec = str(store.run(SPEC.id).write_spec(SPEC))
    code = worker.main([spec, f"--store={store.root}", "--code=0123456789abcdef"])
    record = store.run(SPEC.id).read_record()
    assert (code, record.state) == (ExitCode.FINISHED_WITH_FAILURES, RunState.FAILED)
    assert record.failure is not None and "is not the code that was submitted" in record.failure.message
