"""Imported predictions as rows of papers' tables: beside ours, missing with a command, and told apart."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.paper_tables import NamedTable
from benchmark.core.plan import PlanRow
from benchmark.core.protocol import Protocol
from benchmark.core.run_record import ImportedLabels
from benchmark.core.run_spec import IMPORTED
from benchmark.report.papers.missing import describe_missing
from benchmark.report.papers.paper_results import PaperResults, collect_paper
from benchmark.store.imported_rows import find_imported_rows
from benchmark.store.store import Store
from tests.report.papers.test_paper_table import VOC, draw, make_named, save_row
from tests.report.world import even, save, spec_of

ROWS: list[dict[str, Any]] = [{"label": "SAM", "imported": "SAM 3"}, {"label": "ours", "method": "demo"}]


def save_import(store: Store, unseen: int, *, seed: int = 0, **changes: Any) -> str:
    """Save imported predictions called "SAM 3" on VOC and return their ID."""
    spec = spec_of("SAM 3", seed=seed, **{**VOC, "method": IMPORTED, "engine": IMPORTED, **changes})
    origin = ImportedLabels(folder="/there", num_files=4, files_digest="f" * 64, labels_digest="l" * 64, ids="classes")
    return save(store, spec, even(90, unseen + seed), imported=origin, cost=None)


def collect(store: Store, named: NamedTable, *rows: PlanRow) -> PaperResults:
    """Return the results of a table with the imported rows that a store has."""
    return collect_paper(store, named, [*rows, *find_imported_rows(store, named)])


def test_imported_predictions_stand_beside_ours(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = [save_import(store, 70, seed=seed) for seed in range(3)]
    named = make_named(ROWS, columns=["hiou", "hiou_difference", "runs_done"])
    results = collect(store, named, save_row(store, "ours", 90, 60))
    first = next(csv.DictReader(io.StringIO(draw(results, "csv"))))
    assert (first["state"], first["run_ids"].split()) == ("imported", ids)
    sam, ours = (cells[0].own for cells in results.cells)
    assert sam is not None and ours is not None and ours.difference is None  # the first row that we run is the baseline
    assert sam.difference is not None and sam.difference.paired.difference > 0
    assert describe_missing(results) == []


def test_predictions_that_are_not_there_are_missing_with_the_command_that_imports_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    named = make_named(ROWS, protocol="sclip")
    results = collect(store, named, save_row(store, "ours", 90, 60))
    command = "chimera-bench import DIR --as 'SAM 3' --split voc12 --supervision KIND --protocol sclip"
    (note,) = describe_missing(results)
    assert note.startswith(f"VOC: SAM has no predictions here. To import them: {command}. KIND: ")
    assert next(line for line in draw(results).splitlines() if line.startswith("SAM")).split()[1:] == [
        *("missing", "-", "-", "0/1"),
    ]


def test_a_table_of_imported_and_published_rows_needs_no_method(tmp_path: Path) -> None:
    store = Store(tmp_path)
    save_import(store, 70)
    results = collect(store, make_named([ROWS[0], {"label": "ZegCLIP", "published": "ZegCLIP"}]))
    assert results.study is not None and results.study.baseline.label == "SAM"


def test_of_several_imports_that_of_the_protocol_is_taken_and_others_are_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = (save_import(store, 70, protocol=Protocol(name=name)) for name in ("sclip", "zegclip"))
    (row,) = find_imported_rows(store, make_named([ROWS[0]], protocol="sclip"))
    assert row.ids == {0: first}
    third = save_import(store, 60, protocol=Protocol(name="sclip"), dataset_fingerprint="other")
    with pytest.raises(ValueError, match=r"2 imports are called 'SAM 3' .*: give the ID of one") as error:
        find_imported_rows(store, make_named([ROWS[0]], protocol="sclip"))
    assert first in str(error.value) and third in str(error.value) and second not in str(error.value)


def test_an_id_names_the_predictions_on_a_dataset(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = [save_import(store, 70, seed=seed, dataset_fingerprint=name) for name in ("a", "b") for seed in (0, 1)]
    named = make_named([{"label": "SAM", "imported": {"name": "SAM 3", "on": {"VOC": ids[2]}}}])
    assert [row.ids for row in find_imported_rows(store, named)] == [{0: ids[2], 1: ids[3]}]
