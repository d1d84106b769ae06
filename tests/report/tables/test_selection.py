"""Tests of selected columns: what is printed, what csv and json add, and what is computed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from benchmark.evaluation.scores import METRICS
from benchmark.report.rows import TABLE_METRICS, read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.columns import OPTIONAL_COLUMNS
from benchmark.report.tables.selection import list_selectable, select_columns
from benchmark.report.tables.split_columns import SPLIT_COLUMNS
from benchmark.report.tables.study_table import render
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of, two_rows


def draw(folder: Path, *keys: str, fmt: str = "md") -> str:
    store, selected = Store(folder), select_columns(keys)
    rows = read_rows(store, two_rows(store), metrics=selected.metrics)
    return render(collect_results(rows, has_ranks=selected.has_ranks), fmt=fmt, columns=selected)


def test_the_selected_columns_are_printed_in_their_order(tmp_path: Path) -> None:
    header, _, paper, *_ = draw(tmp_path, "miou", "hiou", "supervision").splitlines()
    assert header == "| Method | mIoU | hIoU | Supervision |"
    # in the mean over the seeds S is 67.4 and U is 43.6
    assert [field.split()[0] for field in paper.split(" | ")[1:3]] == ["**55.5**", "**53.0**"]


def test_csv_holds_the_default_columns_and_the_selected_ones(tmp_path: Path) -> None:
    texts = draw(tmp_path / "default", fmt="csv"), draw(tmp_path / "more", "miou", fmt="csv")
    default, more = (next(csv.DictReader(io.StringIO(text))) for text in texts)
    added = [key for key in more if key not in default]
    assert added == [f"miou{end}" for end in ("", "_low", "_high", "_interval_over", "_df", "_caution")]
    assert {key: more[key] for key in default} == default


def test_metrics_that_are_not_selected_are_not_computed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = two_rows(store)
    rows = read_rows(store, plan, metrics=select_columns(["pixel_accuracy"]).metrics)
    assert set(rows[0].estimates) == {*TABLE_METRICS, "pixel_accuracy"}
    assert set(read_rows(store, plan)[0].estimates) == set(TABLE_METRICS)


@pytest.mark.parametrize("key", [key for key in list_selectable() if OPTIONAL_COLUMNS.get(key) != SPLIT_COLUMNS])
def test_every_selectable_column_is_printed_with_a_value(tmp_path: Path, key: str) -> None:
    header, _, first, second, *_ = draw(tmp_path, key).splitlines()
    assert len(header.split(" | ")) == 2
    assert any(line.split(" | ")[1] not in ("- |", "n/a |") for line in (first, second))


def test_every_metric_can_be_selected() -> None:
    assert set(METRICS) <= set(list_selectable())


def test_a_misspelt_column_is_refused_with_the_list(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=r"no column 'hiuo'; did you mean 'hiou'\? There are: supervision, miou_seen"):
        select_columns(["hiuo"])
    with pytest.raises(KeyError, match="no column 'run_ids'"):
        select_columns(["run_ids"])


def test_tied_rows_share_a_rank(tmp_path: Path) -> None:
    store, selected = Store(tmp_path), select_columns(["hiou_rank"])
    right = {"best": (90, 90), "one": (80, 60), "two": (80, 60)}
    ids = {label: {0: save(store, spec_of(label), even(*counts, images=8))} for label, counts in right.items()}
    rows = read_rows(store, plan_of(ids), metrics=selected.metrics)
    text = render(collect_results(rows, has_ranks=True), fmt="csv", columns=selected)
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [(line["hiou_rank"], line["hiou_rank_is_tied"]) for line in lines] == [
        ("1", "False"),
        ("2", "True"),
        ("2", "True"),
    ]
