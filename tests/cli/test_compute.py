"""Tests of the command `compute`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.store.store import Store
from tests.cli.shell import run_command
from tests.report.compute.spent import finish
from tests.report.world import plan_of, spec_of, two_rows


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """Return the folder of a store with the study `demo` and the study `trials` of tuning."""
    store = Store(tmp_path)
    store.write_plan(two_rows(store))
    trial = finish(store, spec_of("trial"), 1, (0, 30))
    store.write_plan(plan_of({"trial": {0: trial}}).model_copy(update={"study": "trials", "title": "Trials"}))
    return str(tmp_path)


def test_compute_sums_runs_and_tuning(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "--runs", runs, "compute", "demo", "--tuning", "trials", "--json")
    value = json.loads(out)
    assert code == 0 and [row["row"] for row in value["rows"]] == ["paper", "no SGD", "trials"]
    assert (value["total"]["hours"], value["tuning"]["hours"]) == (1.0, 0.5)  # six runs of ten minutes


def test_compute_writes_a_file_and_names_methods_too(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "compute.tex"
    assert run_command(capsys, "--runs", runs, "compute", "demo/paper", "-f", "tex", "--out", str(out)).code == 0
    assert "All 3 runs used a CPU of type Test CPU" in out.read_text()


def test_an_unknown_format_or_study_is_said_in_a_line(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("demo", "-f", "jsn"), ("demo", "--tuning", "trails"), ("dmeo",)):
        code, _, err = run_command(capsys, "--runs", runs, "compute", *words)
        assert code == 1 and "did you mean" in err and err.count("\n") == 1
