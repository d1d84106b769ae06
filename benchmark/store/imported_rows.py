"""Rows of papers' tables that are imported predictions: which runs of a store they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmark.core.paper import PaperDataset
from benchmark.core.paper_row import PaperRow
from benchmark.core.paper_tables import NamedTable
from benchmark.core.plan import PlanRow
from benchmark.core.run_spec import IMPORTED, RunSpec
from benchmark.core.split import load_split, name_split
from benchmark.store.exact_names import read_spec
from benchmark.store.named_plans import select_table_plans
from benchmark.store.store import Store


def find_imported_rows(store: Store, named: NamedTable, datasets: Sequence[PaperDataset] = ()) -> list[PlanRow]:
    """Return the rows of a table that are imported predictions, one per split on which the store has some.

    Of several imports with one name on a split, those under the protocol of the row come first, then those of all
    images, or of as many as the plan of the table has.

    Args:
        store: Store that holds the runs.
        named: Table.
        datasets: Datasets to look on; if empty, those of the table.

    Raises:
        ValueError: Several imports fit; the message says how to tell them apart.
    """
    rows = [row for row in named.table.rows if row.imported is not None]
    specs = list(_read_imported(store)) if rows else []
    limit = _find_limit(store, named) if specs else 0
    return [
        _make_row(row, place, fitting)
        for row in rows
        for dataset in datasets or named.table.datasets
        for place in dataset.splits
        if (fitting := _choose(specs, named, row, dataset, place, limit=limit))
    ]


def _read_imported(store: Store) -> Iterable[RunSpec]:
    for run_id in store.list_ids():
        if run_id.startswith(f"{IMPORTED}-"):
            try:
                spec = read_spec(store.run(run_id))
            except (OSError, ValueError):
                continue
            if spec.is_imported:
                yield spec


def _find_limit(store: Store, named: NamedTable) -> int:
    """Return the number of images that the runs of a table are scored on; 0 for all."""
    plans = select_table_plans(store, named)
    return store.read_plan(plans[0]).max_images if plans else 0


def _choose(
    specs: Sequence[RunSpec], named: NamedTable, row: PaperRow, dataset: PaperDataset, place: str, *, limit: int
) -> list[RunSpec]:
    """Return the specs of a row on a split, which differ in the seed only; none if there are none."""
    assert row.imported is not None
    name, split = row.imported.get_name(dataset.label), name_split(place)
    here = [spec for spec in specs if spec.split == split]
    groups: dict[str, list[RunSpec]] = {}
    for spec in here:
        groups.setdefault(spec.digest_row(), []).append(spec)
    fitting = [some for some in groups.values() if any(_is_called(spec, name) for spec in some)]
    if len(fitting) > 1:
        wanted = row.protocol or named.table.protocol or load_split(place).protocol
        fitting = [some for some in fitting if some[0].protocol.name == Path(wanted).stem] or fitting
    if len(fitting) > 1:
        fitting = [some for some in fitting if some[0].max_images == limit] or fitting
    if len(fitting) > 1:
        ids = ", ".join(some[0].id for some in fitting)
        raise ValueError(
            f"row {row.label!r} on {dataset.label}: {len(fitting)} imports are called {name!r} ({ids}): give the ID of "
            f"one, imported: {{name: {name}, on: {{{dataset.label}: ID}}}}"
        )
    return fitting[0] if fitting else []


def _is_called(spec: RunSpec, name: str) -> bool:
    return name == spec.id or name.casefold() == spec.variant.casefold()


def _make_row(row: PaperRow, place: str, specs: Sequence[RunSpec]) -> PlanRow:
    ids = {spec.seed: spec.id for spec in sorted(specs, key=lambda spec: spec.seed)}
    return PlanRow(label=row.label, method=IMPORTED, split=name_split(place), ids=ids)
