"""Tests of `table`, `compare` and `plan`: baselines, selected columns, margins and deterministic rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.store.store import Store
from tests.cli.shell import run_command
from tests.report.world import two_rows


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """Return the folder of a store with the study `demo` of two rows."""
    store = Store(tmp_path)
    store.write_plan(two_rows(store))
    return str(tmp_path)


def test_the_baseline_of_a_table_is_an_option(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "--runs", runs, "table", "demo", "--baseline", "no SGD", "--json")
    value = json.loads(out)
    assert (code, value["baseline"]) == (0, "no SGD")
    assert [row["hiou_difference"] is None for row in value["rows"]] == [False, True]


def test_the_baseline_of_a_study_is_that_of_its_table(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(runs)
    store.write_plan(store.read_plan("demo").model_copy(update={"baseline": "no SGD"}))
    assert json.loads(run_command(capsys, "--runs", runs, "table", "demo", "--json").out)["baseline"] == "no SGD"


def test_columns_of_a_table_are_selected_by_key(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--runs", runs, "table", "demo", "-f", "md", "--columns")
    code, out, _ = run_command(capsys, *arguments, "miou, runs_done")
    assert code == 0 and "| Method | mIoU | n |" in out
    code, out, err = run_command(capsys, *arguments, "miuo")
    assert code == 1 and "did you mean 'miou'" in err and "hiou_rank" in err


def test_compare_tests_against_a_margin(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    sides = ("--runs", runs, "compare", "paper", "no SGD", "--study", "demo")
    code, out, _ = run_command(capsys, *sides, "--margin", "1.0")
    assert code == 0 and "not worse by more than 1.0" in out and "better by" in out
    assert "margin" not in run_command(capsys, *sides).out


def test_the_scores_of_a_comparison_are_selected(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    sides = ("--runs", runs, "compare", "paper", "no SGD", "--study", "demo", "--metrics")
    code, out, _ = run_command(capsys, *sides, "miou_image,hiou", "--json")
    assert code == 0 and list(json.loads(out)["differences"]) == ["hiou", "miou_image"]
    code, _, err = run_command(capsys, *sides, "hiuo")
    assert code == 1 and "no metric 'hiuo'; did you mean 'hiou'" in err


def test_a_key_in_another_case_is_recognized(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, "--runs", runs, "table", "demo", "--columns", "HIOU")
    assert code == 1 and "no column 'HIOU'; did you mean 'hiou'" in err


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("table", "demo", "--baseline", ""), "--baseline"),
        (("table", "demo", "--columns", " , "), "--columns"),
        (("compare", "paper", "no SGD", "--study", "demo", "--metrics", ""), "--metrics"),
    ],
)
def test_an_empty_option_gets_one_line(
    runs: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], option: str
) -> None:
    code, out, err = run_command(capsys, "--runs", runs, *arguments)
    assert code == 1 and not out and err.startswith(f"error: {option} is ") and err.count("\n") == 1


@pytest.mark.parametrize("margin", ["-1", "0", "nan"])
def test_a_margin_that_is_not_positive_gets_one_line(
    runs: str, capsys: pytest.CaptureFixture[str], margin: str
) -> None:
    code, out, err = run_command(
        capsys, "--runs", runs, "compare", "paper", "no SGD", "--study", "demo", f"--margin={margin}"
    )
    assert code == 1 and not out and err.startswith("error: margin is ") and err.count("\n") == 1


def test_the_plan_of_a_deterministic_row_has_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "free.yaml"
    study.write_text("{title: Free, split: toybox, seeds: [0, 1], rows: [maskclip/MaskCLIP, spnet]}")
    code, out, _ = run_command(capsys, "--runs", str(tmp_path / "runs"), "plan", str(study))
    row = next(line for line in out.splitlines() if line.startswith("MaskCLIP"))
    assert code == 0 and "3 runs" in out and row.split() == ["MaskCLIP", "missing", "-"]
