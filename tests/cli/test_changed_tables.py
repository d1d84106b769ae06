"""A paper's table in a file that changed after it was planned."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmark.store.store import Store
from tests.cli.shell import run_command
from tests.report.world import even, save, spec_of


@pytest.fixture
def planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the file of a paper whose table of SPNet is planned in the folder runs beside it."""
    table = {"title": "main", "datasets": [{"split": "toybox", "label": "Toybox"}], "seeds": [0]}
    rows = [{"label": "mine", "method": "spnet/SPNet"}]
    fields = {"title": "Mine", "citation": "none", "source": "ours", "tables": {"main": {**table, "rows": rows}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(fields))
    assert run_command(capsys, "--runs", str(tmp_path / "runs"), "plan", f"{tmp_path}/mine.yaml/main")[0] == 0
    return tmp_path / "mine.yaml"


def test_a_table_that_changed_since_it_was_planned_has_the_runs_that_it_has_now(
    planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "runs")
    save(store, spec_of("any"), even(80, 60))  # in an empty store, nothing is planned
    planned.write_text(planned.read_text().replace("spnet/SPNet", "maskclip"))
    code, out, notes = run_command(capsys, "--runs", str(store.root), "table", f"{planned}/main", "--provenance")
    assert code == 0 and "mine.yaml/main has changed since it was planned" in notes
    assert "maskclip-" in out and "spnet-" not in out
    assert store.read_plan("mine.main").ids[0].startswith("spnet-")  # who reads writes nothing


@pytest.mark.parametrize("command", ["status", "report", "compute", "plot", "export"])
def test_commands_ask_for_a_new_plan_of_a_table_that_changed(
    planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    planned.write_text(planned.read_text().replace("spnet/SPNet", "maskclip"))
    files = {"report": "page.html", "plot": "figures", "export": "results.zip"}
    out = ["--out", str(tmp_path / files[command])] if command in files else []
    code, _, errors = run_command(capsys, "--runs", str(tmp_path / "runs"), command, f"{planned}/main", *out)
    assert code == 1 and "has changed since it was planned: plan it again (chimera-bench" in errors


def test_what_is_no_row_of_ours_may_change_after_planning(
    planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned.write_text(planned.read_text().replace("title: main", "title: the main table"))
    code, out, _ = run_command(capsys, "--runs", str(tmp_path / "runs"), "status", f"{planned}/main")
    assert code == 0 and "1 missing" in out


def test_a_file_named_like_an_included_paper_cannot_be_planned(
    planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned.rename(tmp_path / "chimera-seg.yaml")
    code, _, errors = run_command(capsys, "--runs", str(tmp_path / "runs"), "plan", f"{tmp_path}/chimera-seg.yaml/main")
    assert code == 1 and "has the name of an included paper, 'chimera-seg'" in errors
