"""Tests of exporting results: equal bytes, tables that any machine draws, nothing half-written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmark.core.plan import PlanRow
from benchmark.core.run_record import Failure
from benchmark.exchange.checksums import CHECKSUMS, format_checksums
from benchmark.exchange.export_results import export_results
from benchmark.exchange.import_results import check_results
from benchmark.store import archive
from benchmark.store.store import Store
from tests.exchange.archives import read_members
from tests.report.world import even, plan_of, save, spec_of, two_rows


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "runs")
    store.write_plan(two_rows(store))
    return store


def test_an_archive_has_runs_plan_tables_and_the_checksums_of_all(store: Store, tmp_path: Path) -> None:
    result = export_results(store, ["demo"], tmp_path / "a.zip")
    members = read_members(tmp_path / "a.zip")
    assert tuple(members) == result.files == tuple(sorted(members))
    assert {name for name in members if name.startswith("tables/")} == {
        f"tables/demo.{fmt}" for fmt in ("txt", "md", "csv", "json", "tex", "html")
    }
    assert sum(name.endswith("/counts.npz") for name in members) == 6 and "runs/plans/demo.json" in members
    checksums = members.pop(CHECKSUMS)
    assert checksums == format_checksums(members)


def test_the_manifest_lists_code_and_environments_once(store: Store, tmp_path: Path) -> None:
    export_results(store, ["demo"], tmp_path / "a.zip")
    manifest = json.loads(read_members(tmp_path / "a.zip")["MANIFEST.json"])
    assert (manifest["format"], manifest["studies"], manifest["num_runs"]) == (1, ["demo"], 6)
    assert len(manifest["code"]) == len(manifest["environments"]) == 1
    assert {run["environment"] for run in manifest["runs"].values()} == set(manifest["environments"])


def test_two_exports_have_the_same_bytes(store: Store, tmp_path: Path) -> None:
    export_results(store, ["demo"], tmp_path / "a.zip")
    for path in store.root.rglob("*"):
        os.utime(path, (1, 2_000_000_000))
    export_results(store, ["demo"], tmp_path / "other.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()


def test_runs_without_a_record_are_left_out_and_missing_in_the_tables(store: Store, tmp_path: Path) -> None:
    begun = spec_of("late")
    store.run(begun.id).begin_attempt(begun)
    failed = save(store, spec_of("bad"), Failure(kind="OSError", message="disk"))
    plan = store.read_plan("demo")
    rows = [PlanRow(label=run_id, method="demo", split="toybox", ids={0: run_id}) for run_id in (begun.id, failed)]
    store.write_plan(plan.model_copy(update={"rows": (*plan.rows, *rows)}))
    result = export_results(store, ["demo"], tmp_path / "a.zip")
    assert result.unfinished == (begun.id,) and result.manifest.runs[failed].state == "failed"
    assert check_results(tmp_path / "a.zip").exit_code == 0
    text = read_members(tmp_path / "a.zip")["tables/demo.txt"].decode()
    assert "seed 0 missing" in text and "interrupted" not in text and "OSError: disk" in text


def test_a_broken_run_stops_the_export(store: Store, tmp_path: Path) -> None:
    run = store.run(store.list_ids()[0])
    run.counts_path.write_bytes(store.run(store.list_ids()[-1]).counts_path.read_bytes())
    with pytest.raises(ValueError, match=r"nothing was exported, as a run is broken: .*does not hold the counts"):
        export_results(store, ["demo"], tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_a_study_without_records_is_refused(store: Store, tmp_path: Path) -> None:
    store.write_plan(plan_of({"x": {0: spec_of("x").id}}).model_copy(update={"study": "empty"}))
    with pytest.raises(ValueError, match="none of the 1 runs has a record"):
        export_results(store, ["empty"], tmp_path / "a.zip")


def test_a_full_disk_leaves_nothing_behind(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive._ZipWriter, "add", fail)
    with pytest.raises(OSError, match="No space left on device; no part of it was left behind"):
        export_results(store, ["demo"], tmp_path / "out" / "a.zip")
    assert list((tmp_path / "out").iterdir()) == []


def test_tables_do_not_depend_on_files_of_the_machine(tmp_path: Path) -> None:
    store, method = Store(tmp_path / "runs"), tmp_path / "own.py"
    method.write_text("changed = True\n")
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"other")
    spec = spec_of(source=str(method), source_digest="a" * 64)
    run_id = save(store, spec, even(80, 60), inputs={str(weights): "0" * 64})
    store.write_plan(plan_of({"own": {0: run_id}}))
    result = export_results(store, ["demo"], tmp_path / "a.zip")
    assert result.locally_stale == (run_id,)
    text = read_members(tmp_path / "a.zip")["tables/demo.txt"].decode()
    assert "stale" not in text and "never tested" in text


def test_contract_tests_in_the_default_folder_travel_with_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.store.contract_record import ContractRecord, save_contract

    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path / "default"))
    store = Store(tmp_path / "runs")
    spec = spec_of(source="/nowhere/own.py", source_digest="a" * 64)
    store.write_plan(plan_of({"own": {0: save(store, spec, even(80, 60))}}))
    record = ContractRecord(method="own", source_digest="a" * 64, splits={"paper": "toybox"}, broken={"paper": ()})
    save_contract(tmp_path / "default", record)
    export_results(store, ["demo"], tmp_path / "a.zip")
    members = read_members(tmp_path / "a.zip")
    assert f"runs/contract/{'a' * 64}.json" in members
    assert "never tested" not in members["tables/demo.txt"].decode()
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path / "elsewhere"))
    assert check_results(tmp_path / "a.zip").exit_code == 0
