"""Rows as any machine with this version of the package reads them: what only this machine knows is left out.

Three facts of a table depend on files beside its runs and the package: whether a result is stale because a method file
or a downloaded weight file has changed since, whether an external method was tested in the default folder of runs, and
which dataset a split file is of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmark.report.result_row import RunResult
from benchmark.report.rows import Row
from benchmark.store.contract_record import describe_contract
from benchmark.store.staleness import find_changes
from benchmark.store.store import Store


def make_portable(store: Store, rows: Sequence[Row]) -> list[Row]:
    """Return rows that depend on nothing but the files of a store and the package.

    Args:
        store: Store that the rows were read from.
        rows: Rows as `rows.read_rows` returns them.
    """
    return [replace(row, runs=tuple(_forget_machine(store, run) for run in row.runs)) for row in rows]


def _forget_machine(store: Store, run: RunResult) -> RunResult:
    if run.record is None or run.scores is None:
        return replace(run, is_portable=True)
    changes = find_changes(run.record, store.run(run.run_id), is_portable=True)
    contract = describe_contract(store.root, run.record.spec, is_portable=True)
    return replace(run, changes=changes, contract=contract, is_portable=True)
