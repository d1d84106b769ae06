"""The runs of a store against the JSON file of a table: identical, different, misstated, failed, broken or missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.evaluation.scores import score
from benchmark.execution.listed_table import read_listed_table
from benchmark.execution.verify_table import Outcome, compare_with_table
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.study_table import render
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from tests.core.machines import make_environment
from tests.report.world import even, plan_of, plan_splits, save, save_splits, spec_of

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
    check = compare_with_table(read_listed_table(path), store)
    return [run.outcome for run in check.runs], check.exit_code, "\n".join(check.format_lines())


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
    assert "paper: missing (seed 2)\npaper: seed 1 failed: OSError: no weights\n3 runs: 1 identical" in text


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


def test_broken_counts_and_records_are_lines_of_their_runs(table: Path, store: Store) -> None:
    paths = [store.run(save(store, spec, even(80, 60))) for spec in SPECS]
    content = paths[0].counts_path.read_bytes()
    paths[0].counts_path.write_bytes(content[: len(content) // 2])
    paths[1].record_path.write_text("{")
    outcomes, code, text = compare(table, store)
    assert (outcomes, code) == ([Outcome.BROKEN, Outcome.BROKEN, Outcome.IDENTICAL], ExitCode.FINISHED_WITH_FAILURES)
    assert f"paper: seed 0 broken: {paths[0].counts_path} does not hold counts" in text
    assert f"paper: seed 1 broken: {paths[1].record_path}" in text
    assert text.endswith("3 runs: 1 identical, 2 broken") and len(text.splitlines()) == 4


def test_whole_counts_of_another_run_are_broken(table: Path, store: Store) -> None:
    run = store.run(save(store, SPECS[0], even(80, 60)))
    even(80, 61).save(run.counts_path)
    assert "does not hold the counts that its record names" in compare(table, store)[2]


def test_a_stated_score_that_the_counts_do_not_give_is_no_success(table: Path, store: Store) -> None:
    for spec in SPECS:
        save(store, spec, even(80, 60))
    value = json.loads(table.read_text())
    actual = value["rows"][0]["runs"][1]["hiou"]
    value["rows"][0]["runs"][1]["hiou"] = 99.0
    value["rows"][0]["hiou"] = round((2 * actual + 99) / 3, 6)
    table.write_text(json.dumps(value))
    outcomes, code, text = compare(table, store)
    assert (outcomes[1], code) == (Outcome.MISSTATED, ExitCode.DIFFERENT)
    reason = f"the table states other scores than its counts give: hIoU 99.000000 instead of {actual:.6f}"
    assert f"paper: seed 1 is misstated: {reason}" in text


def test_a_stated_mean_that_the_runs_do_not_give_is_no_success(table: Path, store: Store) -> None:
    for spec in SPECS:
        save(store, spec, even(80, 60))
    value = json.loads(table.read_text())
    value["rows"][0]["miou_unseen"] = 50.0
    table.write_text(json.dumps(value))
    _, code, text = compare(table, store)
    assert code == ExitCode.DIFFERENT
    assert "paper: the table states other means than those of its runs: U 50.000000 instead of 42.857143" in text


@pytest.fixture
def pooled(tmp_path: Path) -> Path:
    """Write the JSON file of a table with two rows over three splits, whose runs are in `store`."""
    store = Store(tmp_path / "runs")
    rows = (save_splits(store, label, lost) for label, lost in (("a", {0: 0, 1: 3, 2: 9}), ("b", {0: 9, 1: 0, 2: 1})))
    path = tmp_path / "pooled.json"
    path.write_text(render(collect_results(read_rows(store, plan_splits(*rows))), fmt="json"))
    return path


def test_true_means_over_splits_are_success(pooled: Path, store: Store) -> None:
    assert compare(pooled, store)[1] == ExitCode.SUCCESS


def add_to_run(path: Path, row: int, points: float) -> None:
    """Edit the hIoU that the file states of the first run of a row."""
    value = json.loads(path.read_text())
    value["rows"][row]["runs"][0]["hiou"] += points
    path.write_text(json.dumps(value))


@pytest.mark.parametrize("row", [0, 1])
def test_an_edited_run_makes_no_true_mean_or_difference_wrong(pooled: Path, store: Store, row: int) -> None:
    add_to_run(pooled, row, 1.0)
    check = compare_with_table(read_listed_table(pooled), store)
    assert [run.outcome for run in check.runs].count(Outcome.MISSTATED) == 1
    assert check.contradictions == ()


def test_an_edited_run_of_a_seed_that_is_not_compared_makes_no_true_mean_wrong(table: Path, store: Store) -> None:
    for spec in SPECS:
        save(store, spec, even(80, 60))
    add_to_run(table, 0, 1.0)
    assert compare_with_table(read_listed_table(table, seeds=[2]), store).exit_code == ExitCode.SUCCESS


def test_means_by_stated_scores_say_so(table: Path, store: Store) -> None:
    for spec in SPECS[1:]:
        save(store, spec, even(80, 60))
    add_to_run(table, 0, 3.0)
    (wrong,) = compare_with_table(read_listed_table(table), store).contradictions
    assert wrong[1].endswith(" (by the stated scores of 1 of 3 runs, whose counts are not here)")


def test_an_edited_run_leaves_the_true_value_of_an_edited_mean(pooled: Path, store: Store) -> None:
    add_to_run(pooled, 1, 1.0)
    value = json.loads(pooled.read_text())
    actual, value["pooled"][0]["rows"][1]["hiou"] = value["pooled"][0]["rows"][1]["hiou"], 99.0
    pooled.write_text(json.dumps(value))
    ((_, text),) = compare_with_table(read_listed_table(pooled), store).contradictions
    assert text.endswith(f"hIoU 99.000000 instead of {actual:.6f}")


@pytest.mark.parametrize(
    ("metric", "heading"),
    [("hiou", "hIoU"), ("miou_seen", "S"), ("miou_unseen", "U"), ("hiou_difference", "ΔhIoU")],
)
def test_a_stated_mean_over_splits_that_their_runs_do_not_give_is_no_success(
    pooled: Path, store: Store, metric: str, heading: str
) -> None:
    value = json.loads(pooled.read_text())
    actual, value["pooled"][0]["rows"][1][metric] = value["pooled"][0]["rows"][1][metric], 99.0
    pooled.write_text(json.dumps(value))
    _, code, text = compare(pooled, store)
    reason = f"the table states other means than those of its splits: {heading} 99.000000 instead of {actual:.6f}"
    assert code == ExitCode.DIFFERENT and f"b over toybox@2-s0 (3 splits): {reason}" in text


def test_a_stated_difference_that_the_runs_do_not_give_is_no_success(pooled: Path, store: Store) -> None:
    value = json.loads(pooled.read_text())
    value["rows"][1]["hiou_difference"] = 99.0
    pooled.write_text(json.dumps(value))
    _, code, text = compare(pooled, store)
    assert code == ExitCode.DIFFERENT
    assert "b on toybox@2-s0-00: the table states other means than those of its runs: ΔhIoU 99.000000" in text


@pytest.mark.parametrize(
    ("baseline", "reason"), [("nope", "'nope', which is no row of it"), (None, "a baseline that it does not name")]
)
def test_a_stated_difference_from_an_unknown_row_is_no_success(
    pooled: Path, store: Store, baseline: str | None, reason: str
) -> None:
    value = json.loads(pooled.read_text())
    value["pooled"][0]["baseline"] = baseline
    pooled.write_text(json.dumps(value))
    _, code, text = compare(pooled, store)
    assert code == ExitCode.DIFFERENT
    assert f"the table states other means than those of its splits: ΔhIoU from {reason}" in text


def test_stated_unseen_classes_that_the_counts_do_not_have_are_no_success(pooled: Path, store: Store) -> None:
    value = json.loads(pooled.read_text())
    value["pooled"][0]["splits"][1]["unseen"] = ["water", "cup"]
    pooled.write_text(json.dumps(value))
    _, code, text = compare(pooled, store)
    assert code == ExitCode.DIFFERENT
    reason = "the table states other unseen classes than the counts: water, cup instead of water, fish"
    assert f"toybox@2-s0-01: {reason}" in text
