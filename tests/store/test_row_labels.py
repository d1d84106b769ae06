"""People see the row of a study and the seed instead of an id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.core.plan import Plan, PlanRow
from benchmark.store.row_differences import describe_differences
from benchmark.store.row_labels import RowLabel, label_plan, label_runs, label_unplanned, shorten_id, summarize_labels
from benchmark.store.store import Store
from tests.report.world import BUDGET, even, plan_of, save, spec_of


def test_a_planned_run_is_called_by_its_row(tmp_path: Path) -> None:
    store, run_id = Store(tmp_path), spec_of().id
    store.write_plan(plan_of({"no SGD": {3: run_id}}))
    labels = label_runs(store, [run_id])
    assert labels == {run_id: RowLabel("no SGD", 3, "demo")} and str(labels[run_id]) == "no SGD seed 3"


def test_other_runs_are_called_by_method_and_variant(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.run(spec_of(seed=4).id).write_spec(spec_of(seed=4))
    assert str(label_runs(store, [spec_of(seed=4).id])[spec_of(seed=4).id]) == "demo/paper seed 4"


def test_a_run_without_any_file_is_called_by_its_id(tmp_path: Path) -> None:
    assert str(label_runs(Store(tmp_path), ["lost-s0-0"])["lost-s0-0"]) == "lost-s0-0"


def test_rows_of_one_label_are_told_apart_by_their_methods() -> None:
    rows = tuple(PlanRow(label="x", method=name, split="toybox", ids={0: name}) for name in ("a", "b"))
    labels = label_plan(Plan(study="s", title="S", rows=rows))
    assert [label.row for label in labels.values()] == ["a/x", "b/x"]


def test_rows_of_a_plan_with_several_splits_are_told_apart_by_their_split() -> None:
    rows = tuple(PlanRow(label="x", method="a", split=name, ids={0: name}) for name in ("voc12", "toybox"))
    labels = label_plan(Plan(study="s", title="S", rows=rows))
    assert [label.row for label in labels.values()] == ["x on voc12", "x on toybox"]


def test_a_summary_has_one_line_per_row() -> None:
    labels = [RowLabel("a", 0), RowLabel("b", 0), RowLabel("a", 1), *(RowLabel("c", seed) for seed in range(11))]
    assert summarize_labels(labels) == ["a: seeds 0, 1", "b: seed 0", "c: 11 seeds"]


def test_a_run_is_found_by_the_end_of_its_id(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run_id = save(store, spec_of(), even(80, 60))
    assert store.find(shorten_id(run_id)) == run_id


def test_equal_labels_of_different_rows_end_in_the_settings_that_differ() -> None:
    one, other = ([spec_of(seed=seed, max_images=number) for seed in (0, 1)] for number in (5, 6))
    labels = label_unplanned([*one, *other])
    assert {labels[spec.id].row for spec in one} == {"demo/paper [max_images=5]"}
    assert str(labels[other[1].id]) == "demo/paper [max_images=6] seed 1"
    assert str(label_unplanned(one)[one[1].id]) == "demo/paper seed 1"


def test_a_file_called_like_a_registered_method_is_named_by_its_path() -> None:
    specs = [spec_of(), spec_of(source="/x/demo.py", source_digest="d")]
    assert [label.row for label in label_unplanned(specs).values()] == ["demo/paper", "/x/demo.py/paper"]


def test_equal_rows_of_two_plans_are_told_apart_in_one_list(tmp_path: Path) -> None:
    store = Store(tmp_path)
    budgets = [BUDGET, BUDGET.model_copy(update={"iterations": 20})]
    specs = [spec_of(budget=budget, max_images=4) for budget in budgets]
    for name, spec in zip(("long", "short"), specs, strict=True):
        store.run(spec.id).write_spec(spec)
        store.write_plan(plan_of({"paper": {0: spec.id}}).model_copy(update={"study": name}))
    rows = [label.row for label in label_runs(store, [spec.id for spec in specs]).values()]
    assert rows == ["paper [budget.iterations=600]", "paper [budget.iterations=20]"]
    assert label_runs(store, [specs[1].id])[specs[1].id].row == "paper"


def test_differences_are_short_and_always_tell_apart() -> None:
    changes: list[dict[str, Any]] = [{"text": "a" * 99}, {"text": "b" * 99}]
    texts = describe_differences([spec_of(config=config) for config in changes])
    assert [text.partition("#")[0] for text in texts] == ["text=", "text="] and texts[0] != texts[1]
    many = [spec_of(config={f"k{number}": number * (value or number < 3) for number in range(9)}) for value in (0, 1)]
    first, second = describe_differences(many)
    assert first != second and first.count("=") == 3
