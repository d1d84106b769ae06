"""The command `verify` with a table: exit codes, one-line errors, and nothing is run unless asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.execution.verify import Verification
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.study_table import render
from benchmark.store.staleness import digest_module, find_changes
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from tests.cli.shell import run_command
from tests.report.world import even, plan_of, save, spec_of


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the JSON file of a table of one run and return its path; the store of the commands is `tmp_path`/runs."""
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path / "runs"))
    listed = Store(tmp_path / "listed")
    plan = plan_of({"demo": {0: save(listed, spec_of(), even(80, 60))}})
    (tmp_path / "table.json").write_text(render(collect_results(read_rows(listed, plan)), fmt="json"))
    return tmp_path / "table.json"


@pytest.mark.parametrize("unseen, expected", [(60, ExitCode.SUCCESS), (61, ExitCode.DIFFERENT)])
def test_the_exit_code_says_whether_all_counts_are_identical(
    table: Path, unseen: int, expected: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    save(Store(table.parent / "runs"), spec_of(), even(80, unseen))
    assert run_command(capsys, "verify", "--against", str(table)).code == expected


def test_a_missing_run_is_said_and_not_run(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_command(capsys, "verify", "--against", str(table))
    assert result.code == ExitCode.FINISHED_WITH_FAILURES
    assert result.out == "demo: missing (seed 0)\n1 runs: 1 missing\n"
    assert "verify --run --against" in result.err


def test_broken_counts_fail_and_the_way_to_run_again_is_said(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Store(table.parent / "runs").run(save(Store(table.parent / "runs"), spec_of(), even(80, 60)))
    run.counts_path.write_bytes(run.counts_path.read_bytes()[:100])
    result = run_command(capsys, "verify", "--against", str(table))
    assert result.code == ExitCode.FINISHED_WITH_FAILURES
    assert result.out.endswith("1 runs: 1 broken\n")
    assert f"move their folders out of {run.path.parent}" in result.err


def test_a_run_that_cannot_be_repeated_is_one_line(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_command(capsys, "verify", "--run", "--against", str(table))
    assert result.code == ExitCode.ERROR
    assert "cannot be verified" in result.err and len(result.err.splitlines()) == 1


def test_a_foreign_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "foreign.json").write_text("{}")
    for name in ("foreign.json", "absent.json"):
        result = run_command(capsys, "verify", "--against", str(tmp_path / name))
        assert (result.code, len(result.err.splitlines())) == (ExitCode.ERROR, 1)


@pytest.fixture
def done(table: Path) -> str:
    """Save a run that is done in the store of the commands and return its id."""
    store = Store(table.parent / "runs")
    run_id = save(store, spec_of(), even(80, 60))
    store.run(run_id).write_spec(spec_of())
    return run_id


def test_nothing_is_announced_before_a_refusal(done: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_command(capsys, "verify", done)
    assert result.code == ExitCode.ERROR
    assert "cannot be verified" in result.err and len(result.err.splitlines()) == 1


def test_a_failed_repetition_is_one_sentence_and_the_way_to_its_log(
    done: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Store(tmp_path / "runs").run(done)
    failure = Failure(kind="OSError", message="no weights", log_tail="Traceback (most recent call last):")
    failed = run.read_record().model_copy(update={"state": RunState.FAILED, "failure": failure, "counts_digest": None})
    repeated = Verification(run.read_record(), failed, {})
    monkeypatch.setattr("benchmark.execution.verify.verify_run", lambda *_, **__: repeated)
    result = run_command(capsys, "verify", done)
    assert result.out == "not verified: the repeated run failed: OSError: no weights\n"
    assert f"verify {done} --keep DIR, then chimera-bench --runs DIR logs {done}" in result.err


@pytest.mark.parametrize(
    "arguments",
    [(), ("id", "--against", "x.json"), ("id", "--run"), ("id", "--seed", "1"), ("--against", "x", "--keep", "d")],
)
def test_arguments_that_do_not_fit_are_a_usage_error(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(capsys, "verify", *arguments).code == ExitCode.USAGE


@pytest.mark.parametrize(("digest", "word"), [(None, "nothing to accept"), ("other", "accepted: noted in")])
def test_identical_counts_of_a_stale_run_are_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], digest: str | None, word: str
) -> None:
    store, name = Store(tmp_path / "runs"), "methods/maskclip.py"
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(store.root))
    code = {name: digest_module(name)}
    run = store.run(save(store, spec_of(), even(80, 60), code=code | ({name: digest} if digest else {})))
    record = run.read_record()
    run.write_spec(record.spec)
    repeated = Verification(record, record.model_copy(update={"code": code}), {})
    monkeypatch.setattr("benchmark.execution.verify.verify_run", lambda *_, **__: repeated)
    assert word in run_command(capsys, "verify", run.id, "--accept").out
    assert find_changes(record, run) == () and run.read_record() == record
