"""Settings of rows that their labels leave out: marks on rows, one note if all rows share them, and in `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.core.plan import Plan, PlanRow
from benchmark.report.comparison_cautions import find_cautions
from benchmark.report.rows import Row, read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.study_table import render
from benchmark.store.store import Store
from tests.report.world import even, save, spec_of


def make_rows(root: Path, **overrides: dict[str, Any]) -> list[Row]:
    store = Store(root)
    rows = []
    for label, own in overrides.items():
        ids = {0: save(store, spec_of("paper", overrides=own, config=own), even(80, 60))}
        rows.append(PlanRow(label=label, method="demo", split="toybox", ids=ids))
    return read_rows(store, Plan(study="demo", title="Demo study", rows=tuple(rows)))


def print_table(rows: list[Row]) -> str:
    return " ".join(render(collect_results(rows), width=None).split())


def test_a_row_is_marked_with_what_its_label_leaves_out(tmp_path: Path) -> None:
    text = print_table(make_rows(tmp_path, plain={}, other={"head.norm": None, "sgd.weight": 2.0}))
    assert "other (a,b)" in text and "a: with head.norm=null, sgd.weight=2.0" in text


def test_what_all_rows_share_is_one_note(tmp_path: Path) -> None:
    text = print_table(make_rows(tmp_path, a={"x": 1, "y": 1}, b={"x": 1}))
    assert "All rows: x=1." in text and "a: with y=1" in text


def test_of_a_file_the_name_is_shown_whatever_folder_of_a_machine_it_is_in(tmp_path: Path) -> None:
    text = print_table(make_rows(tmp_path, a={"x": "/disk/a/w.pt", "y": "/disk/b/v.pt"}, b={"x": "/disk/a/w.pt"}))
    assert "All rows: x=w.pt." in text and "a: with y=v.pt" in text


def test_training_and_protocol_have_their_own_notes(tmp_path: Path) -> None:
    text = print_table(make_rows(tmp_path, a={}, b={"budget.iterations": 7, "protocol.train_images": 3}))
    assert "budget." not in text and "protocol." not in text


def test_labels_that_show_a_setting_are_not_marked(tmp_path: Path) -> None:
    text = print_table(make_rows(tmp_path, a={}, **{"b [x=1]": {"x": 1}}))
    assert "with x=1" not in text


def test_compare_says_which_settings_differ(tmp_path: Path) -> None:
    a, b = make_rows(tmp_path, a={"z": 1}, b={"z": 1, "head.norm": None})
    assert "different settings: A those of its variant; B head.norm=null" in find_cautions(a, b)
