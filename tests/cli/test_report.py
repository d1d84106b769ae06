"""Tests of `report`: one file, and one clear line for what cannot be done."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.store.store import Store
from tests.cli.shell import run_command
from tests.report.world import spec_of, two_rows


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """Return the folder of a store with the study `demo` of two rows."""
    store = Store(tmp_path / "runs")
    store.write_plan(two_rows(store))
    return str(tmp_path / "runs")


def test_a_report_is_one_file(runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "report.html"
    code, printed, err = run_command(capsys, "--runs", runs, "report", "demo", "--out", str(out))
    assert code == 0 and printed == "" and err.startswith(f"wrote {out} (0.")
    text = out.read_text(encoding="utf-8")
    assert "SGD helps" in text and str(tmp_path) not in text


def test_an_existing_file_is_replaced_only_on_request(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    out.write_text("mine", encoding="utf-8")
    code, _, err = run_command(capsys, "--runs", runs, "report", "demo", "--out", str(out))
    assert code == 1 and "exists: give another name, or --overwrite" in err and out.read_text() == "mine"
    code, _, _ = run_command(capsys, "--runs", runs, "report", "demo", "--out", str(out), "--overwrite")
    assert code == 0 and out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("report", "dmeo", "--out", "a.html"), "did you mean"),
        (("report", "demo", "--out", "a.pdf"), "give a name that ends in .html"),
        (("report", "demo", "--out", "a.html", "--baseline", "papr"), "did you mean 'paper'"),
    ],
)
def test_a_mistake_gets_one_line(
    runs: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run_command(capsys, "--runs", runs, *arguments)
    assert code == 1 and out == "" and text in err and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_study_without_results_has_no_report(runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(runs)
    plan = store.read_plan("demo")
    rows = tuple(row.model_copy(update={"ids": {9: spec_of(row.label, seed=9).id}}) for row in plan.rows)
    store.write_plan(plan.model_copy(update={"rows": rows}))
    code, _, err = run_command(capsys, "--runs", runs, "report", "demo", "--out", str(tmp_path / "a.html"))
    assert code == 1 and "no run of demo is done" in err and err.count("\n") == 1
