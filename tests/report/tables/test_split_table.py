"""Tests of the table of rows over several splits: its columns and notes, and the values by split in csv and json."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import sparse

from benchmark.core.plan import PlanRow
from benchmark.core.run_record import Failure
from benchmark.evaluation.counts import Counts
from benchmark.report.rows import read_rows
from benchmark.report.study_results import StudyResults, collect_results
from benchmark.report.tables.formats import FORMATS
from benchmark.report.tables.selection import select_columns
from benchmark.report.tables.split_columns import SPLIT_COLUMNS
from benchmark.report.tables.study_table import render, sort_results
from benchmark.store.store import Store
from tests.report.world import SEEN_BY_SPLIT, hand_counts, plan_splits, save, save_splits, spec_of

LOST = {"paper": {0: 0, 1: 0, 2: 0}, "no SGD": {0: 10, 1: -3, 2: 30}, "no SAM": {0: 5, 1: 5, 2: 6}}


def collect(store: Store, lost: Mapping[str, Mapping[int, int]] = LOST, *more: PlanRow) -> StudyResults:
    rows = [save_splits(store, name, some) for name, some in lost.items()]
    return collect_results(read_rows(store, plan_splits(*rows, more)))


@pytest.fixture
def results(tmp_path: Path) -> StudyResults:
    return collect(Store(tmp_path))


def drop_classes(counts: Counts, columns: list[int]) -> Counts:
    """Return counts without any pixel of some classes."""
    arrays = {name: getattr(counts, name).toarray() for name in ("intersection", "prediction", "target", "confusion")}
    for array in arrays.values():
        array[:, columns] = 0
    margin = counts.margin_intersection.copy()
    margin[columns] = 0
    matrices: dict[str, Any] = {name: sparse.csr_array(array) for name, array in arrays.items()}
    return replace(counts, **matrices, margin_intersection=margin, margin_prediction=margin)


def read(results: StudyResults) -> str:
    return " ".join(render(results, width=None).split())


def test_a_row_has_its_splits_and_seeds_and_the_sign_of_its_difference(results: StudyResults) -> None:
    header, _, *rows = [
        line for line in render(results, fmt="md", columns=select_columns(["runs_done", "hiou_difference_same_sign"]))
        .splitlines() if line.startswith("|")
    ]  # fmt: skip
    assert header == "| Method | n | Sign |"
    assert [row.split(" | ")[1:] for row in rows] == [["3 x 3", "- |"], ["3 x 3", "2/3 |"], ["3 x 3", "3/3 |"]]


def test_notes_say_what_the_interval_covers_and_what_one_split_would_have_claimed(results: StudyResults) -> None:
    text = read(results)
    assert "Over 3 splits of one dataset (toybox@2-s0-00, 01, 02)" in text and "Each has 2 seen and 2 unseen" in text
    assert "interval over splits, seeds and images" in text and "other choices of unseen classes" in text
    assert "mean over the splits that both rows have" in text and "Holm over 2 comparisons" in text
    assert "Of 6 comparisons on one split" in text and "Too few splits for an exact test" in text
    assert "p cannot go below 0.25; 2 comparisons need 0.025 under Holm" in text


@pytest.mark.parametrize("key", [column.key for column in SPLIT_COLUMNS if column.header])
def test_every_column_of_several_splits_is_printed_and_can_be_sorted_by(results: StudyResults, key: str) -> None:
    columns = select_columns([key], sort=f"{key},desc")
    ordered = sort_results(results, columns)
    lines = [line for line in render(ordered, fmt="md", columns=columns).splitlines() if line.startswith("|")]
    assert len(lines) == 5 and all(not line.endswith("| - |") for line in lines[2:4]) and lines[4].endswith("| - |")
    assert [row.label for row in ordered.groups[0].splits[0].rows] == [row.label for row in ordered.rows]


def test_csv_has_a_line_per_row_and_one_per_row_and_split(results: StudyResults) -> None:
    lines = list(csv.DictReader(io.StringIO(render(results, fmt="csv"))))
    assert [line["split"] for line in lines[:4]] == ["", "", "", "toybox@2-s0-00"] and len(lines) == 12
    values = [float(line["hiou_difference"]) for line in lines[3:] if line["label"] == "no SGD"]
    assert float(lines[1]["hiou_difference"]) == pytest.approx(sum(values) / 3, abs=1e-6)
    assert [line["p_adjusted"] for line in lines[3:6]] == [""] * 3 and lines[1]["splits_done"] == "3"


def test_json_has_the_means_and_every_row_of_a_split_with_its_runs(results: StudyResults) -> None:
    value = json.loads(render(results, fmt="json"))
    (pooled,) = value["pooled"]
    assert [split["unseen"] for split in pooled["splits"]] == [["cup", "fish"], ["water", "fish"], ["grass", "fish"]]
    scores = [row["hiou"] for row in value["rows"] if row["label"] == "paper"]
    assert pooled["rows"][0]["hiou"] == pytest.approx(sum(scores) / 3, abs=1e-5)
    assert [row["split"] for row in value["rows"]] == [f"toybox@2-s0-0{number}" for number in range(3) for _ in "abc"]
    assert [len(row["runs"]) for row in value["rows"]] == [3] * 9


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_repeats_to_the_byte(tmp_path: Path, fmt: str) -> None:
    first, second = (render(collect(Store(tmp_path / name)), fmt=fmt) for name in ("one", "two"))
    assert first == second


def test_a_row_that_lacks_a_split_says_so_and_is_not_the_best(tmp_path: Path) -> None:
    text = read(collect(Store(tmp_path), {**LOST, "short": {0: -10, 1: -10}}))
    assert "scores over 2 of 3 splits: means over different splits are not comparable" in text
    assert "ΔhIoU: over the two splits that both have, of its two and the reference's three" in text
    assert next(part for part in text.split("short (") if "±" in part).split()[1].endswith("*") is False


def test_a_limit_that_all_splits_share_is_said_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = save_splits(store, "paper", {0: 0, 1: 0}, max_images=4)
    shared = collect_results(read_rows(store, plan_splits(rows)), is_by_split=True)
    assert read(shared).count("TESTING ONLY") == 1 and ": TESTING ONLY" not in read(shared)
    mixed = collect_results(read_rows(store, plan_splits(rows, save_splits(store, "paper", {2: 0}))), is_by_split=True)
    assert "toybox@2-s0-00, 01: TESTING ONLY: scored on the first 4 images" in read(mixed)


def test_a_path_in_a_note_is_not_cut(tmp_path: Path) -> None:
    store = Store(tmp_path)
    broken = save_splits(store, "torn", {0: 0}, seeds=1)[0].ids[0]
    store.run(broken).record_path.write_text("{")
    row = PlanRow(label="torn", method="demo", split="toybox@2-s0-00", ids={0: broken})
    text = render(collect_results(read_rows(store, plan_splits([row]))), width=50)
    assert f" {broken}/record.json" in text and "restore it, or move it away" in text


def test_failed_and_missing_runs_are_named_with_their_split(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place: dict[str, Any] = {"split": "toybox@2-s0-01", "split_digest": "1"}
    failed, never = spec_of("torn", **place), spec_of("torn", seed=1, **place)
    ids = {0: save(store, failed, Failure(kind="ValueError", message="torn")), 1: never.id}
    torn = PlanRow(label="torn", method="demo", split="toybox@2-s0-01", ids=ids)
    text = read(collect(store, LOST, *save_splits(store, "torn", {0: 0}), torn))
    assert "seed 0 on toybox@2-s0-01 failed: ValueError: torn" in text
    assert "seed 1 on toybox@2-s0-01 missing" in text and "scores over 1 of 3 splits" in text


def test_splits_without_a_score_are_named(tmp_path: Path) -> None:
    store, rows = Store(tmp_path), []
    for number, seen in enumerate(SEEN_BY_SPLIT):
        spec = spec_of(split=f"s-{number}", split_digest=str(number))
        counts = drop_classes(hand_counts([[100] * 4] * 3, seen=seen), [1, 3])
        rows.append(PlanRow(label="paper", method="demo", split=spec.split, ids={0: save(store, spec, counts)}))
    results = collect_results(read_rows(store, plan_splits(rows)))
    assert results.rows[0].estimates["hiou"].mean == 100
    assert "On s-1: mIoU(U) and hIoU are not defined: no unseen class occurs in the targets" in read(results)


def test_deterministic_rows_have_their_own_kind_of_interval(tmp_path: Path) -> None:
    store = Store(tmp_path)
    fixed = save_splits(store, "fixed", {0: 9, 1: 8, 2: 7}, seeds=1, record={"is_deterministic": True})
    text = read(collect(store, LOST, *fixed))
    assert "of deterministic rows over splits and images" in text and "3 (det.)" in text
    assert "do not compare their widths" not in text


def test_a_share_without_an_interval_is_a_dash() -> None:
    (column,) = (column for column in SPLIT_COLUMNS if column.key == "hiou_difference_split_share")
    known = {column.key: [0.0, 0.5], f"{column.key}_low": [None, 0.25], f"{column.key}_high": [None, 0.75]}
    assert column.format is not None
    cells = column.format(pd.DataFrame(known, dtype="float64"), 1)
    assert [(cell.text, cell.spread) for cell in cells] == [("-", ""), ("50%", "[25, 75]")]
