"""`rerun`, `retry` on this machine, `clean`, `archive`: what they choose, say and leave alone."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_spec import RunSpec
from benchmark.execution.verify import NotVerifiableError
from benchmark.store.store import Store
from tests.cli.shell import run_command
from tests.cli.stand_in_pool import FAILURE, replace_pool
from tests.report.world import even, plan_of, save, spec_of, two_rows

OLD, NEW = even(80, 60), even(80, 80)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the store that every command of the test uses."""
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path / "runs"))
    return Store(tmp_path / "runs")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """Return the specs that the pool was called with; see `replace_pool`."""
    monkeypatch.setattr("benchmark.execution.verify.check_repeatable", lambda spec: None)
    return replace_pool(monkeypatch, result=NEW)


def add(store: Store, seed: int, result: Any = OLD, **changes: Any) -> str:
    """Add a run that was begun, and return its ID."""
    spec = spec_of(seed=seed)
    store.run(spec.id).begin_attempt(spec)
    return save(store, spec, result, **changes)


def test_a_rerun_replaces_the_result_and_says_how_it_differs(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = add(store, 0)
    code, out, _ = run_command(capsys, "rerun", "demo/paper")
    assert code == 0 and [spec.id for spec in started] == [run_id]
    assert "hIoU 52.17 before, 66.67 now (d2-main)" in out  # S 80/120, U 60/140 before and 80/120 now
    assert store.run(run_id).read_counts().digest() == NEW.digest()
    assert len(list((store.root / "replaced").iterdir())) == 1


@pytest.mark.parametrize(("seed", "expected"), [(9, 3), (13, 130)])
def test_the_old_result_stays_if_there_is_no_new_one(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str], seed: int, expected: int
) -> None:
    run_id = add(store, seed)
    assert run_command(capsys, "rerun", run_id).code == expected
    assert store.run(run_id).read_counts().digest() == OLD.digest()
    assert not (store.root / "replaced").exists()


def test_a_run_that_cannot_be_repeated_keeps_its_result_and_the_others_go_on(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(spec: RunSpec) -> None:
        if spec.seed == 1:
            raise NotVerifiableError(f"{spec.id} cannot be verified: dataset 'x' changed since the run")

    monkeypatch.setattr("benchmark.execution.verify.check_repeatable", check)
    ids = [add(store, seed) for seed in range(2)]
    code, _, err = run_command(capsys, "rerun", "demo")
    assert code == 3 and "old result kept, as the run cannot be repeated: dataset 'x' changed since the run" in err
    assert [store.run(run_id).read_counts().digest() for run_id in ids] == [NEW.digest(), OLD.digest()]


def test_a_rerun_that_was_done_before_a_crash_is_taken_without_running_again(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = add(store, 0)
    save(Store(store.root / "reruns"), spec_of(), NEW)
    assert run_command(capsys, "rerun", run_id).code == 0
    assert started == [] and store.run(run_id).read_counts().digest() == NEW.digest()


def test_only_stale_results_are_run_anew_if_wanted_and_failures_never(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    add(store, 0)
    stale = add(store, 1, code={"methods/maskclip.py": "older"})
    add(store, 2, FAILURE)
    code, out, err = run_command(capsys, "rerun", "demo", "--stale", "--dry-run")
    assert (code, started) == (0, [])
    assert stale in out and "1 run to repeat" in out and "1 run without a result, skipped" in err


def test_a_dry_rerun_lists_no_run_that_cannot_be_repeated(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_imported(spec: RunSpec) -> None:
        if spec.is_imported:
            raise NotVerifiableError("its predictions were imported")

    monkeypatch.setattr("benchmark.execution.verify.check_repeatable", refuse_imported)
    ours = add(store, 0)
    imported = save(store, spec_of("back", method="imported", engine="imported"), OLD)
    code, out, err = run_command(capsys, "rerun", ours, imported, "--dry-run")
    assert code == 0 and ours in out and imported not in out and "1 run to repeat" in out
    assert "its predictions were imported" in err


def test_retry_runs_failures_of_this_machine_again(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    add(store, 0)
    failed = add(store, 1, FAILURE)
    code, _, err = run_command(capsys, "retry", "demo")
    assert code == 0 and [spec.id for spec in started] == [failed]
    assert "1 failed run to run again on this machine" in err
    assert run_command(capsys, "retry", "demo").out == "no failed runs\n"


def test_clean_without_a_choice_shows_everything_and_deletes_nothing(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = add(store, 0, FAILURE)
    code, out, err = run_command(capsys, "clean")
    assert code == 0 and "failed: 1, " in out and run_id in out and "replaced: 0" in out
    assert "nothing deleted: choose with --failed" in err and store.list_ids() == [run_id]


def test_clean_deletes_only_if_told(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    failed, done = add(store, 0, FAILURE), add(store, 1)
    assert "nothing deleted: --yes deletes" in run_command(capsys, "clean", "--failed").err
    assert set(store.list_ids()) == {failed, done}
    assert "deleted 1, " in run_command(capsys, "clean", "--failed", "--yes").out
    assert store.list_ids() == [done]


def test_clean_goes_on_after_what_it_cannot_delete(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = add(store, 0, FAILURE), add(store, 1, FAILURE)

    def remove(path: Path) -> None:
        if stuck in path.name:
            raise PermissionError(13, "Permission denied", str(path))
        shutil.rmtree(path)

    monkeypatch.setattr("benchmark.store.cleanup._remove", remove)
    code, out, err = run_command(capsys, "clean", "--failed", "--yes")
    assert code == 1 and "deleted 1, " in out and f"not deleted: {store.root / stuck}: Permission denied" in err
    assert not (store.root / other).exists()


def test_clean_says_what_it_leaves_alone(store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    add(store, 0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "runs-0").touch()
    (store.root / "index").symlink_to(tmp_path / "mine")
    code, out, err = run_command(capsys, "clean", "--index", "--yes")
    assert (code, out) == (0, "index: 0\n") and f"left alone: index, a link to {tmp_path / 'mine'}" in err
    assert (tmp_path / "mine" / "runs-0").exists()


def test_clean_keeps_stale_results_of_plans_and_says_so(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = add(store, 0, code={"methods/maskclip.py": "older"})
    store.write_plan(plan_of({"paper": {0: run_id}}))
    code, out, err = run_command(capsys, "clean", "--stale", "--yes")
    assert (code, out) == (0, "stale: 0\n")
    assert "1 stale run of plans kept" in err and store.list_ids() == [run_id]


def test_an_archive_is_a_store_whose_table_can_be_printed(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store.write_plan(two_rows(store))
    code, out, _ = run_command(capsys, "archive", "demo", "--out", str(tmp_path / "paper.tar.gz"))
    assert code == 0 and "6 runs, 13 files" in out and "chimera-bench --runs paper table demo" in out
    with tarfile.open(tmp_path / "paper.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    original = run_command(capsys, "table", "demo", "--format", "csv").out
    assert run_command(capsys, "--runs", str(tmp_path / "paper"), "table", "demo", "--format", "csv").out == original


def test_an_archive_is_not_overwritten_unless_asked(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    add(store, 0)
    (tmp_path / "a.zip").write_text("mine")
    code, _, err = run_command(capsys, "archive", "demo", "--out", str(tmp_path / "a.zip"))
    assert code == 1 and "a.zip exists: give another name" in err and (tmp_path / "a.zip").read_text() == "mine"
    assert run_command(capsys, "archive", "demo", "--out", str(tmp_path / "a.zip"), "--overwrite").code == 0


def test_runs_without_a_record_cannot_be_archived(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store.run(spec_of().id).begin_attempt(spec_of())
    code, _, err = run_command(capsys, "archive", "demo", "--out", str(tmp_path / "a.zip"))
    assert code == 1 and "none of the 1 run has a record" in err


def test_clean_names_a_broken_plan_and_goes_on(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    failed, stale = add(store, 0, FAILURE), add(store, 1, code={"methods/maskclip.py": "older"})
    (store.root / "plans").mkdir()
    (store.root / "plans" / "torn.json").write_text("{")
    code, out, err = run_command(capsys, "clean", "--failed", "--stale", "--yes")
    assert code == 0 and "torn.json is broken" in err and "until then all stale runs are kept" in err
    assert store.list_ids() == [stale] and "deleted 1" in out and failed != stale
