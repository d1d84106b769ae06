"""Tables and comparisons say of a published checkpoint what it is, and what no one here can know of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.core.budget import Budget
from benchmark.core.run_spec import OfficialWeights
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.study_table import render
from benchmark.store.store import Store
from tests.report.world import compare_ids, even, plan_of, save, spec_of

WEIGHTS = OfficialWeights(file="/their/official.pth", sha256="ab" * 32, num_tensors=311)
NOTE = (
    "weights: official.pth (SHA-256 abababab, 311 tensors), trained elsewhere, scored as published: its training data "
    "and classes are not known to this benchmark, so masks of unseen classes may have been among them"
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def save_published(store: Store, *, reconstruction: str = "", **changes: Any) -> str:
    fields: dict[str, Any] = {
        "weights": WEIGHTS,
        "overrides": {"weights": "official.pth"},
        "budget": Budget(iterations=0),
    }
    return save(store, spec_of(**fields | changes), even(70, 50), reconstruction=reconstruction)


def render_both(store: Store, published: str, **options: Any) -> str:
    plan = plan_of({"ours": {0: save(store, spec_of(), even(80, 60))}, "theirs": {0: published}})
    return " ".join(render(collect_results(read_rows(store, plan)), title="T", **options).split())


def test_a_table_marks_the_row_of_a_published_checkpoint(store: Store) -> None:
    text = render_both(store, save_published(store))
    assert NOTE in text and text.count("trained elsewhere") == 1
    assert "with weights=" not in text and "no training" not in text


def test_the_mark_stays_without_notes(store: Store) -> None:
    text = render_both(store, save_published(store), has_notes=False)
    assert "theirs (a)" in text and f"a: {NOTE}" in text and "ours (" not in text


def test_a_row_that_is_trained_further_says_so(store: Store) -> None:
    text = render_both(store, save_published(store, budget=Budget(iterations=20)))
    assert "trained elsewhere, then trained further here: its training data" in text
    assert "20 iterations" in text


@pytest.mark.parametrize(("iterations", "is_said"), [(0, False), (20, True)])
def test_deviations_of_training_are_those_of_rows_that_are_trained_here(
    store: Store, iterations: int, is_said: bool
) -> None:
    published = save_published(store, reconstruction="stages at once.", budget=Budget(iterations=iterations))
    assert ("Reconstruction: stages at once" in render_both(store, published)) is is_said


def test_a_comparison_warns_of_the_side_that_was_trained_elsewhere(store: Store) -> None:
    ours = save(store, spec_of(), even(80, 60))
    comparison = compare_ids(store, {0: ours}, {0: save_published(store)})
    assert f"B: {NOTE}" in comparison.cautions
    assert any(text.startswith("different training: A 600") for text in comparison.cautions)
