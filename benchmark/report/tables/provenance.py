"""What runs of a table were made with and on: code, inputs and machines, as far as these differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmark.core.environment import describe_arithmetic
from benchmark.core.run_record import RunRecord
from benchmark.report.result_row import ResultRow, RunResult

MAX_NAMES = 5
"""Names that a note lists."""


def join_distinct(row: ResultRow, describe: Callable[[RunRecord], str]) -> str:
    """Return the different descriptions of a row's records in one text."""
    return " and ".join(sorted({describe(record) for record in row.records}))


def describe_machines(rows: Sequence[ResultRow]) -> list[str]:
    """Return the note that runs were computed under different arithmetic; none if all share one."""
    kinds = sorted(
        {describe_arithmetic(record.environment) for row in rows if not row.is_imported for record in row.records}
    )
    if len(kinds) < 2:
        return []
    return [
        f"Runs were computed under {len(kinds)} kinds of arithmetic ({'; '.join(kinds)}): their differences may hold "
        f"that of the machines too."
    ]


def describe_inputs(rows: Sequence[ResultRow]) -> list[str]:
    """Return the note that runs read files of one name with different content; none if there are no such files."""
    names = _find_conflicts(record.inputs for row in rows for record in row.records)
    if not names:
        return []
    return [f"Runs read different content under one file name ({_list_names(names)}): run all with the same files."]


def describe_conflicts(records: Sequence[RunRecord]) -> list[str]:
    """Return one text for inputs and one for code that have the same name and different content in some records."""
    conflicts = {
        "inputs": _find_conflicts(record.inputs for record in records),
        "code": _find_conflicts(record.code for record in records),
    }
    return [f"{kind}: {_list_names(names)}" for kind, names in conflicts.items() if names]


def describe_continued(row: ResultRow) -> list[str]:
    """Return one text per way in which checkpoints were continued under other arithmetic than they were made under."""
    runs: dict[str, list[RunResult]] = {}
    for run in row.done:
        if run.record is not None and run.record.continued_from:
            before, after = "; ".join(run.record.continued_from), describe_arithmetic(run.record.environment)
            runs.setdefault(f"continued under other arithmetic ({before}; then {after})", []).append(run)
    return [f"{row.name_runs(some)} {'was' if len(some) == 1 else 'were'} {text}" for text, some in runs.items()]


def describe_row_arithmetic(row: ResultRow) -> str:
    """Return what decides the last bits of the row's results; empty if no run is done, or if it is not known."""
    return "" if row.is_imported else join_distinct(row, lambda record: describe_arithmetic(record.environment))


def _find_conflicts(digests: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the names that have different digests in some of the mappings, sorted."""
    first: dict[str, str] = {}
    conflicts: set[str] = set()
    for mapping in digests:
        conflicts |= {name for name, digest in mapping.items() if first.setdefault(name, digest) != digest}
    return sorted(conflicts)


def _list_names(names: Sequence[str]) -> str:
    """Return names in one text; of many names, how many more there are."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
