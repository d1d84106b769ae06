"""The runs of a store against the JSON file of a table: identical, different, failed or missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import Failure
from benchmark.evaluation.scores import score
from benchmark.execution.verify_table import (
    Outcome,
    choose_exit_code,
    compare_with_table,
    format_comparisons,
    read_listed_table,
)
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.study_table import render
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from tests.core.machines import make_environment
from tests.report.world import even, plan_of, save, spec_of

SPECS = [spec_of("paper", seed=seed) for seed in range(3)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Write the JSON file of a table with one row of three seeds and return its path."""
    store = Store(tmp_path / "listed")
    ids = {spec.seed: save(store, spec, even(80, 60)) for spec in SPECS}
    path = tmp_path / "table.json"
    path.write_text(render(collect_results(read_rows(store, plan_of({"paper": ids}))), fmt="json"))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def compare(path: Path, store: Store) -> tuple[list[Outcome], ExitCode, str]:
    comparisons = compare_with_table(read_listed_table(path), store)
    outcomes = [comparison.outcome for comparison in comparisons]
    return outcomes, choose_exit_code(comparisons), "\n".join(format_comparisons(comparisons))


def test_equal_counts_of_all_runs_are_success(table: Path, store: Store) -> None:
    for spec in SPECS:
        save(store, spec, even(80, 60))
    outcomes, code, text = compare(table, store)
    assert (outcomes, code) == ([Outcome.IDENTICAL] * 3, ExitCode.SUCCESS)
    assert text == "paper: identical (seeds 0, 1, 2)\n3 runs: 3 identical"


def test_missing_and_failed_runs_are_said_and_are_no_success(table: Path, store: Store) -> None:
    save(store, SPECS[0], even(80, 60))
    save(store, SPECS[1], Failure(kind="OSError", message="no weights"))
    outcomes, code, text = compare(table, store)
    assert outcomes == [Outcome.IDENTICAL, Outcome.FAILED, Outcome.MISSING]
    assert code == ExitCode.FINISHED_WITH_FAILURES
    assert "paper: missing (seed 2)\npaper: seed 1 failed: no weights\n3 runs: 1 identical" in text


def test_a_difference_is_given_in_points_with_the_recorded_differences(table: Path, store: Store) -> None:
    save(store, SPECS[0], even(80, 70), environment=make_environment(mkl_branch="auto"))
    _, code, text = compare(table, store)
    hiou = score(even(80, 70), "d2-main").hiou - score(even(80, 60), "d2-main").hiou
    assert code == ExitCode.DIFFERENT
    assert f"paper: seed 0 differs: hIoU {hiou:+.4f}, S" in text
    assert "Different: paper seed 0\n  these recorded differences (table -> here) may explain it:" in text
    assert "    machine.mkl_branch: COMPATIBLE -> auto" in text


def test_a_difference_without_a_recorded_one_claims_no_reason(table: Path, store: Store) -> None:
    save(store, SPECS[0], even(80, 70))
    assert "  no recorded difference explains it; compared were code, inputs" in compare(table, store)[2]


def test_only_the_given_seeds_are_compared(table: Path) -> None:
    assert [run.spec.seed for _, run in read_listed_table(table, seeds=[1]).runs] == [1]
    with pytest.raises(ValueError, match=r"lists no finished run of the seeds \[9\]"):
        read_listed_table(table, seeds=[9])


def break_run(value: Any) -> None:
    del value["rows"][0]["runs"][0]["environment"]


def break_rows(value: Any) -> None:
    value["rows"] = 1


@pytest.mark.parametrize("damage", [break_run, break_rows])
def test_another_json_file_is_refused_in_one_line(table: Path, damage: Any) -> None:
    value = json.loads(table.read_text())
    damage(value)
    table.write_text(json.dumps(value))
    with pytest.raises(ValueError, match=r"table.json is no table of this version .*: write it with") as caught:
        read_listed_table(table)
    assert "\n" not in str(caught.value)
