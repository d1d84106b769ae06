"""Tests of notes on code, inputs and machines that differ between runs."""

from __future__ import annotations

from pathlib import Path

from benchmark.core.run_record import RunRecord
from benchmark.report.rows import read_rows
from benchmark.report.tables.provenance import describe_conflicts, describe_inputs
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of


def read_record(store: Store, **changes: object) -> RunRecord:
    spec = spec_of(str(changes))
    return store.run(save(store, spec, even(80, 60))).read_record().model_copy(update=changes)


def test_files_of_one_name_and_different_content_are_listed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one = read_record(store, code={"a.py": "1", "b.py": "1"}, inputs={"clip.pt": "1"})
    other = read_record(store, code={"a.py": "2", "c.py": "1"}, inputs={"clip.pt": "1", "more.pt": "2"})
    assert describe_conflicts([one, other]) == ["code: a.py"]
    assert describe_conflicts([one, one]) == []


def test_of_many_files_the_first_are_named_and_the_others_counted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    records = [read_record(store, code={f"{name}.py": digest for name in "abcdefg"}) for digest in "12"]
    assert describe_conflicts(records) == ["code: a.py, b.py, c.py, d.py, e.py and 2 more"]


def test_a_table_says_that_its_runs_read_different_files(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {name: {0: save(store, spec_of(name), even(80, 60), inputs={"clip.pt": name})} for name in ("one", "two")}
    rows = read_rows(store, plan_of(ids))
    assert describe_inputs(rows) == [
        "Runs read different content under one file name (clip.pt): run all with the same files."
    ]
    assert describe_inputs(rows[:1]) == []
