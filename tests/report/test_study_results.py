"""Tests of rows on several splits or settings: groups, baselines within a group, one family, and sorting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.plan import Plan, PlanRow
from benchmark.core.protocol import Protocol
from benchmark.evaluation.families import adjust_holm
from benchmark.report.rows import read_rows
from benchmark.report.study_results import StudyResults, collect_results
from benchmark.report.tables.selection import select_columns
from benchmark.report.tables.study_table import render, sort_results
from benchmark.store.store import Store
from tests.report.world import hand_counts, save, spec_of


def save_row(store: Store, label: str, split: str, *, lost: int = 0, seeds: int = 3, **changes: Any) -> PlanRow:
    """Save a row whose unseen classes lose this many pixels of an image."""
    ids = {}
    for seed in range(seeds):
        counts = hand_counts([[80 + seed, 80, 60 + image - lost, 50 - lost] for image in range(4)])
        ids[seed] = save(store, spec_of(label, seed=seed, split=split, **changes), counts)
    return PlanRow(label=label, method="demo", split=split, ids=ids)


def collect(store: Store, *rows: PlanRow, baseline: str = "") -> StudyResults:
    return collect_results(read_rows(store, Plan(study="s", title="S", rows=rows)), baseline=baseline)


@pytest.fixture
def results(tmp_path: Path) -> StudyResults:
    """Return rows on three splits, the last of which has no row of the baseline."""
    store = Store(tmp_path)
    return collect(
        store,
        save_row(store, "paper", "toybox"),
        save_row(store, "no SGD", "toybox", lost=20),
        save_row(store, "paper", "voc12", lost=5),
        save_row(store, "no SGD", "voc12", lost=10),
        save_row(store, "no SGD", "coco", lost=9),
        save_row(store, "no SAM", "coco", lost=8),
    )


def test_differences_are_to_the_baseline_of_the_same_split_and_one_family(results: StudyResults) -> None:
    assert [group.name for group in results.groups] == ["toybox", "voc12", "coco"]
    assert [known is not None for known in results.differences] == [False, True, False, True, False, False]
    known = [difference for difference in results.differences if difference is not None]
    means = [row.estimates["hiou"].mean for row in results.rows]
    assert known[1].paired.difference == pytest.approx(means[3] - means[2])
    assert [one.p_adjusted for one in known] == list(adjust_holm([one.paired.p_value for one in known]))


def test_a_table_of_several_splits_says_what_is_compared(results: StudyResults) -> None:
    text = " ".join(render(results).split())
    assert "Method Split mIoU(S)" in text and "Split voc12: 2 seen and 2 unseen classes" in text
    assert "Holm over 2 comparisons, those of all splits together" in text
    assert "within each of the 3" in text and "No ΔhIoU and p on coco: there is no row 'paper'" in text
    assert "difference from 'paper' on the same split" in text


def test_the_best_of_every_split_is_marked(results: StudyResults) -> None:
    rows = [line for line in render(results, fmt="md", columns=select_columns(["hiou"])).splitlines() if "±" in line]
    assert ["**" in row for row in rows[:6]] == [True, False, True, False, False, True]


def test_json_of_several_splits_has_their_facts_by_group(results: StudyResults) -> None:
    value = json.loads(render(results, fmt="json"))
    assert [group["name"] for group in value["groups"]] == ["toybox", "voc12", "coco"]
    assert [group["baseline"] for group in value["groups"]] == ["paper", "paper", None]
    assert [row["split"] for row in value["rows"]] == ["toybox"] * 2 + ["voc12"] * 2 + ["coco"] * 2
    assert value["rows"][0]["runs"][0]["iou/cup"] > 0


def test_a_baseline_is_looked_for_on_every_split(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = [save_row(store, label, split) for split in ("toybox", "voc12") for label in ("paper", "no SGD")]
    results = collect(store, *rows, baseline="no SGD")
    assert [group.baseline.label for group in results.groups] == ["no SGD", "no SGD"]
    with pytest.raises(KeyError, match="no baseline 'no SDG'; did you mean 'no SGD'"):
        collect(store, *rows, baseline="no SDG")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"max_images": 4}, ["toybox (all images)", "toybox (first 4 images)"]),
        ({"protocol": Protocol(name="zs", gamma=0.1)}, ["toybox (protocol plain)", "toybox (protocol zs)"]),
        ({"dataset_fingerprint": "0123456789"}, ["toybox (data f)", "toybox (data 01234567)"]),
        ({"split_digest": "9876543210"}, ["toybox (split file 5)", "toybox (split file 98765432)"]),
    ],
)
def test_what_is_not_comparable_is_a_group_of_its_own(
    tmp_path: Path, changes: dict[str, Any], names: list[str]
) -> None:
    store = Store(tmp_path)
    results = collect(store, save_row(store, "paper", "toybox"), save_row(store, "other", "toybox", **changes))
    assert [group.name for group in results.groups] == names and not any(results.differences)


def test_a_row_without_a_result_stands_with_its_split(tmp_path: Path) -> None:
    store = Store(tmp_path)
    missing = PlanRow(label="never", method="demo", split="voc12", ids={0: spec_of("never", split="voc12").id})
    results = collect(store, save_row(store, "paper", "toybox"), missing, save_row(store, "paper", "voc12"))
    assert [[row.label for row in group.rows] for group in results.groups] == [["paper"], ["never", "paper"]]


def test_sorting_moves_rows_within_their_split_and_keeps_the_baseline(results: StudyResults) -> None:
    ordered = sort_results(results, select_columns([], sort="hiou"))
    assert [row.label for row in ordered.rows] == ["no SGD", "paper", "no SGD", "paper", "no SGD", "no SAM"]
    assert [group.baseline for group in ordered.groups] == [group.baseline for group in results.groups]
    assert ordered.differences[0] is results.differences[1]
    descending = sort_results(results, select_columns([], sort="label,desc"))
    assert [row.label for row in descending.rows] == ["paper", "no SGD", "paper", "no SGD", "no SGD", "no SAM"]


@pytest.mark.parametrize(
    ("sort", "message"),
    [
        ("hiuo", "no column to sort by 'hiuo'; did you mean 'hiou'"),
        ("hiou,down", "cannot sort by 'hiou,down': give KEY"),
        (",desc", "cannot sort by ',desc'"),
    ],
)
def test_a_wrong_order_is_refused(sort: str, message: str) -> None:
    with pytest.raises((KeyError, ValueError), match=message):
        select_columns([], sort=sort)


def test_digits_round_what_is_printed_only(results: StudyResults) -> None:
    exact, rounded = (render(results, fmt="csv", digits=digits) for digits in (6, 0))
    assert exact == rounded and " 67* " in render(results, digits=0) and " 67.365* " in render(results, digits=3)


def test_warnings_stay_when_notes_are_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path)
    text = render(collect(store, save_row(store, "paper", "toybox", max_images=4)), has_notes=False)
    assert text.splitlines()[-1].startswith("TESTING ONLY: scored on the first 4 images") and "Holm" not in text
