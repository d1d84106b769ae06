"""Tests of the comparison of two methods over several splits."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from statistics import fmean

import pytest

from benchmark.core.plan import Plan, PlanRow
from benchmark.report.comparison import MethodComparison, compare_runs
from benchmark.report.comparison_sides import find_runs
from benchmark.report.named_rows import make_plan
from benchmark.report.tables.comparison_table import FORMATS, render
from benchmark.store.store import Store
from tests.report.world import plan_splits, save_splits

ALL = {0: 0, 1: 0, 2: 0}


def compare(
    store: Store, a: tuple[PlanRow, ...], b: tuple[PlanRow, ...], *, margin: float | None = None
) -> MethodComparison:
    first, second = ({row.split: row.ids for row in rows} for rows in (a, b))
    return compare_runs(store, first, second, margin=margin)


@pytest.fixture
def comparison(tmp_path: Path) -> MethodComparison:
    store = Store(tmp_path)
    return compare(store, save_splits(store, "a", ALL), save_splits(store, "b", {0: 10, 1: -3, 2: 30}), margin=1.0)


def test_a_minus_b_is_the_mean_over_the_splits(comparison: MethodComparison) -> None:
    known = comparison.differences["hiou"].paired
    single = [split.differences["hiou"].difference for split in comparison.splits]
    a, b = (row.estimates["hiou"].mean for row in (comparison.a, comparison.b))
    assert known.difference == pytest.approx(fmean(single)) == pytest.approx(a - b)
    assert known.interval.kind == "splits, seeds and images"
    assert [split.unseen for split in comparison.splits] == [("cup", "fish"), ("water", "fish"), ("grass", "fish")]


def test_a_class_has_its_gain_while_unseen_and_while_seen(comparison: MethodComparison) -> None:
    cup = {row.is_seen: row for row in comparison.classes if row.name == "cup"}
    first = comparison.splits[0]
    a, b = (row.average_iou(is_seen=False)[2] for row in (first.a, first.b))
    assert cup[False].num_splits == 1 and a > b
    assert cup[False].difference == pytest.approx(a - b)
    assert cup[True].num_splits == 2
    assert [row.is_seen for row in comparison.classes if row.name == "fish"] == [False]


def test_a_kind_has_the_mean_of_its_classes_on_each_split(comparison: MethodComparison) -> None:
    things = {row.is_seen: row for row in comparison.kinds if row.name == "things"}
    unseen = [row.name for row in comparison.kinds if not row.is_seen]
    assert unseen == ["stuff", "things"]
    expected = []
    for split in comparison.splits:
        a, b = (row.average_iou(is_seen=False) for row in (split.a, split.b))
        members = [k for k, name in ((2, "cup"), (3, "fish")) if name in split.unseen]
        expected.append(fmean(a[members] - b[members]))
    assert things[False].num_splits == 3
    assert things[False].difference == pytest.approx(fmean(expected))
    text = render(comparison)
    assert text.index("all things") < text.index("\ncup")


def test_text_has_every_split_with_its_unseen_classes_the_largest_gain_first(comparison: MethodComparison) -> None:
    text = render(comparison)
    parts = text.split("hIoU split by split (%)")[1].splitlines()
    rows = [line for line in parts if line[:2] in ("00", "01", "02")]
    assert [row[:2] for row in rows] == ["02", "00", "01"] and rows[0].endswith("grass, fish")
    assert "A: demo/a (9 runs on 3 splits)" in text
    flat = " ".join(text.split())
    assert "A - B is positive on 2 of 3 splits" in flat and "Too few splits for an exact test" in flat
    assert "unseen: A B A - B n seen: A B A - B n" in flat


def test_csv_and_json_have_every_split(comparison: MethodComparison) -> None:
    lines = list(csv.DictReader(io.StringIO(render(comparison, fmt="csv"))))
    splits = [line for line in lines if line["kind"] == "split" and line["name"] == "hiou"]
    assert [line["unseen"] for line in splits] == ["cup, fish", "water, fish", "grass, fish"]
    (score,) = (line for line in lines if line["kind"] == "score" and line["name"] == "hiou")
    assert score["splits"] == "3" and score["verdict"] == "not decided"
    assert fmean(float(line["difference"]) for line in splits) == pytest.approx(float(score["difference"]), abs=1e-5)
    value = json.loads(render(comparison, fmt="json"))
    assert [split["name"] for split in value["splits"]] == value["differences"]["hiou"]["splits"]


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_is_written(comparison: MethodComparison, fmt: str) -> None:
    assert "02" in render(comparison, fmt=fmt)


def test_splits_of_one_side_alone_are_left_out_and_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    comparison = compare(store, save_splits(store, "a", ALL), save_splits(store, "b", {0: 10, 1: 20}))
    assert len(comparison.splits) == 2
    assert "A: left out on toybox@2-s0-02, as B has no finished run there" in comparison.cautions


def test_one_common_split_is_a_comparison_on_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    comparison = compare(store, save_splits(store, "a", ALL), save_splits(store, "b", {2: 10}))
    assert comparison.splits == () and comparison.setting.split == "toybox@2-s0-02"
    assert "A: left out on toybox@2-s0-00, 01, as B has no finished run there" in comparison.cautions
    assert "the interval of A - B (one split: the choice of classes is not covered)" in comparison.cautions
    assert "b (3 runs)   Split: toybox@2-s0-02\n" in render(comparison)


def test_a_comparison_on_the_only_split_of_both_is_not_flagged(tmp_path: Path) -> None:
    store = Store(tmp_path)
    comparison = compare(store, save_splits(store, "a", {2: 0}), save_splits(store, "b", {2: 10}))
    assert not any("one split" in text for text in comparison.cautions)


def test_sides_without_a_common_split_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ValueError, match=r"no split has .* A has some on toybox@2-s0-00, 01; B on toybox@2-s0-02"):
        compare(store, save_splits(store, "a", {0: 0, 1: 0}), save_splits(store, "b", {2: 0}))


def test_splits_that_are_no_pool_are_refused_with_advice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    a, b = ((*save_splits(store, name, {0: 0}), *save_splits(store, name, {1: 0}, max_images=4)) for name in "ab")
    with pytest.raises(ValueError, match=r"not comparable \(max_images\): name one split with --split"):
        compare(store, a, b)


def test_a_row_on_several_splits_is_one_side(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = save_splits(store, "paper", ALL)
    expected = {row.split: row.ids for row in rows}
    assert find_runs(store, "demo/paper") == ("demo/paper", expected)
    plan = plan_splits(rows, save_splits(store, "b", ALL))
    assert find_runs(store, "paper", plan=plan) == ("paper", expected)
    with pytest.raises(
        KeyError, match=r"'demo' stands for 6 rows, .* one: name one of them \('demo/b', 'demo/paper'\)"
    ):
        find_runs(store, "demo", plan=plan)


def list_labels(plan: Plan) -> dict[str, list[str]]:
    return {row.label: [other.split[-2:] for other in plan.rows if other.label == row.label] for row in plan.rows}


def test_a_row_that_needs_its_method_on_one_split_has_it_on_all(tmp_path: Path) -> None:
    store = Store(tmp_path)
    save_splits(store, "paper", ALL)
    save_splits(store, "paper", {0: 0}, method="other")
    assert list_labels(make_plan(store, ["demo", "other"])) == {"demo/paper": ["00", "01", "02"], "other/paper": ["00"]}


def test_a_row_that_two_studies_share_has_one_label_on_the_splits_of_both(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second, third = save_splits(store, "paper", ALL)
    store.write_plan(Plan(study="one", title="", rows=(first, second)))
    renamed = tuple(row.model_copy(update={"label": "ours"}) for row in (second, third))
    store.write_plan(Plan(study="two", title="", rows=renamed))
    assert list_labels(make_plan(store, ["one", "two"])) == {"paper": ["00", "01", "02"]}


def test_a_pattern_selects_splits(tmp_path: Path) -> None:
    store = Store(tmp_path)
    save_splits(store, "paper", ALL)
    assert list_labels(make_plan(store, ["demo"], split="toybox@*-0[12]")) == {"paper": ["01", "02"]}
    with pytest.raises(KeyError, match=r"no row on split 'voc\*'"):
        make_plan(store, ["demo"], split="voc*")


def test_rows_that_share_a_label_and_a_split_are_told_apart_by_a_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    save_splits(store, "paper", {0: 0})
    save_splits(store, "paper", {0: 0}, split_digest="edited")
    with pytest.raises(
        KeyError, match=r"content of the split's file, so name one of the runs \('demo/paper' on toybox@2"
    ):
        find_runs(store, "demo/paper", split="toybox@2-s0-00")


def test_runs_without_results_are_counted_and_not_all_listed(tmp_path: Path) -> None:
    rows = [PlanRow(label="b", method="demo", split=f"s-{n}", ids={0: f"long-{n}", 1: f"id-{n}"}) for n in range(3)]
    with pytest.raises(
        ValueError, match=r"no finished run to compare \(6 runs, such as long-0: missing\): run it first"
    ):
        compare(Store(tmp_path), save_splits(Store(tmp_path), "a", ALL), tuple(rows))


def test_splits_of_several_names_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    store = Store(tmp_path)
    save_splits(store, "paper", {0: 0, 2: 0})
    save_splits(store, "paper", ALL, method="other")
    assert [row.split[-2:] for row in make_plan(store, ["demo", "other"]).rows] == ["00", "00", "01", "02", "02"]
