"""Tests of what tables, comparisons and figures say about imported labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.core.budget import Budget
from benchmark.core.plan import Plan, PlanRow
from benchmark.core.run_record import ImportedLabels
from benchmark.evaluation.counts import GAMMAS, Counts
from benchmark.evaluation.scores import compute_gamma_curve, score
from benchmark.report.figures.study_figures import describe_left_out, draw_all
from benchmark.report.named_rows import make_plan
from benchmark.report.rows import read_rows
from benchmark.report.study_results import StudyResults, collect_results
from benchmark.report.tables.study_table import render
from benchmark.store.store import Store
from tests.report.world import compare_ids, even, plan_of, save, spec_of

ORIGIN = ImportedLabels(
    folder="/their/labels", num_files=4, files_digest="f" * 64, labels_digest="e" * 64, ids="order", program="mmseg 1.2"
)


def without_scores(counts: Counts) -> Counts:
    zeros = np.zeros((len(counts.classes), len(GAMMAS) + 1), dtype=np.int64)
    return replace(counts, margin_intersection=zeros, margin_prediction=zeros)


def save_imported(store: Store, *, seed: int = 0) -> str:
    spec = spec_of("SAM 3", seed=seed, method="imported", engine="imported", budget=Budget(iterations=0))
    return save(store, spec, without_scores(even(70, 50)), imported=ORIGIN, cost=None, supervision="none")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def collect(store: Store) -> StudyResults:
    """Return the results of a run of ours and of an imported one."""
    plan = plan_of({"paper": {0: save(store, spec_of(), even(80, 60))}, "SAM 3": {0: save_imported(store)}})
    return collect_results(read_rows(store, plan))


def test_a_table_marks_imported_rows_and_shows_no_cost(store: Store) -> None:
    results = collect(store)
    text = " ".join(render(results, title="T").split())
    assert "imported labels: 4 files (ffffffff); made by mmseg 1.2; ids by order; training and cost unknown" in text
    assert "engine imported" not in text and "no training" not in text and "computed under" not in text
    assert 'is_imported": true' in render(results, title="T", fmt="json")


def test_an_imported_row_keeps_its_mark_without_notes(store: Store) -> None:
    text = render(collect(store), title="T", has_notes=False)
    assert "SAM 3 (a)" in text and "paper (" not in text and "Split" not in text
    assert [line for line in text.splitlines() if line.startswith(("a: ", "b: "))] == [
        "a: imported labels: 4 files (ffffffff); made by mmseg 1.2; ids by order; training and cost unknown"
    ]


def test_scores_without_offsets_are_those_of_any_counts() -> None:
    counts = even(70, 50)
    assert score(without_scores(counts), "d2-main") == score(counts, "d2-main")


def test_labels_have_no_result_at_another_offset() -> None:
    with pytest.raises(ValueError, match="imported labels have no score"):
        compute_gamma_curve(without_scores(even(70, 50)), "d2-main")


def test_figures_leave_imported_rows_out_of_gamma_and_say_so(store: Store, tmp_path: Path) -> None:
    results = collect(store)
    assert "gamma.png" in [path.name for path in draw_all(results, store, tmp_path / "out", formats=["png"])]
    assert describe_left_out(results) == [
        "SAM 3: left out of the figure of gamma, because imported labels have no score"
    ]


def test_a_comparison_names_the_origin_instead_of_machines(store: Store) -> None:
    ours, other = save(store, spec_of(), even(80, 60)), save_imported(store)
    cautions = " ".join(compare_ids(store, {0: ours}, {0: other}).cautions)
    assert "B: imported labels: 4 files" in cautions and "different supervision" in cautions
    assert not any(f"different {name}" in cautions for name in ("training", "engine", "arithmetic", "code"))


@pytest.mark.parametrize("name", ["SAM 3", "sam 3", "imported/SAM 3", "imported"])
def test_imported_rows_are_named_with_and_without_their_method(store: Store, name: str) -> None:
    ids = {seed: save_imported(store, seed=seed) for seed in range(2)}
    plan: Plan = make_plan(store, [name])
    rows: tuple[PlanRow, ...] = plan.rows
    assert [dict(row.ids) for row in rows] == [ids] and rows[0].label == "SAM 3"
