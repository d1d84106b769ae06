"""Missing runs of a paper's table, and the commands that compute or import them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from benchmark.core.paper import PaperDataset
from benchmark.core.paper_row import PaperRow
from benchmark.core.paper_tables import NamedTable
from benchmark.core.run_state import RunState
from benchmark.core.split import name_split
from benchmark.core.table_name import is_paper_file
from benchmark.report.papers.paper_provenance import list_parts
from benchmark.report.papers.paper_results import PaperResults
from benchmark.report.result_row import ResultRow

_LIMIT = re.compile(r"\bmax_images=(\d+)")
"""Number of scored images in the name of a table with changed settings."""


def drop_folder(path: str) -> str:
    """Return the name of a paper, split or protocol, without the folder of its file."""
    return Path(path).name


def describe_missing(results: PaperResults, *, spell: Callable[[str], str] = drop_folder) -> list[str]:
    """Return a note per dataset whose runs are not all done, with the command that computes the missing ones.

    Predictions that are not imported have a note of their own, with the command that imports them. The commands name no
    folder of runs or data.

    Args:
        results: Results of the table.
        spell: Function that spells the path of a file of a paper, split or protocol; by default it drops the folder, so
            that a table has the same bytes on every machine.
    """
    notes = []
    for index, dataset in enumerate(results.datasets):
        cells = [cell for row, cell in zip(results.rows, results.get_column(index), strict=True) if row.method]
        states = [state for cell in cells if cell.row is not None for state in _list_needed(cell.row)]
        if any(state is not RunState.DONE for state in states):
            notes.append(_describe_runs(results, dataset, states, spell))
    done = {
        (row.label, part.split)
        for row, cells in zip(results.rows, results.cells, strict=True)
        for cell in cells
        for part in list_parts(cell.row)
        if part.done
    }
    return notes + list(describe_imports(results.named, results.datasets, done=done, spell=spell))


def _describe_runs(
    results: PaperResults, dataset: PaperDataset, states: Sequence[RunState], spell: Callable[[str], str]
) -> str:
    """Return the note on the runs of a dataset, with the command that computes those that are not done."""
    name = results.named.name
    places = [] if len(results.datasets) == 1 and not dataset.split else map(spell, dataset.splits)
    table = f"{spell(name.paper)}/{name.table}" if is_paper_file(name.paper) else name.run_words[0]
    words = shlex.join([table, *name.run_words[1:], *(word for place in places for word in ("--split", place))])
    missing, failed = sum(state is not RunState.DONE for state in states), sum(state.is_failed for state in states)
    cause, again = (f" ({failed} failed)", " --retry-failed") if failed else ("", "")
    cost = "" if name.change else f"; chimera-bench missing {words} lists them and their cost"
    return (
        f"{dataset.label}: {missing} of {len(states)} runs missing{cause}. To compute them: "
        f"chimera-bench run {words}{again} (or submit){cost}."
    )


def describe_imports(
    named: NamedTable,
    datasets: Sequence[PaperDataset],
    *,
    done: Collection[tuple[str, str]],
    spell: Callable[[str], str] = drop_folder,
) -> Iterator[str]:
    """Yield a note per row and dataset without imported predictions, with the commands that import them.

    Args:
        named: Table.
        datasets: Datasets of the columns.
        done: Labels of rows and names of splits that have predictions.
        spell: Function that spells the path of a file; see `describe_missing`.
    """
    for row in named.table.rows:
        for dataset in datasets if row.imported is not None else ():
            left = [place for place in dataset.splits if (row.label, name_split(place)) not in done]
            if left:
                commands = [_format_import(named, row, dataset, place, spell) for place in left]
                yield (
                    f"{dataset.label}: {row.label} has no predictions here. To import them: {' and '.join(commands)}. "
                    "KIND: what it was trained with, such as none or seen_masks."
                )


def _format_import(
    named: NamedTable, row: PaperRow, dataset: PaperDataset, split: str, spell: Callable[[str], str]
) -> str:
    """Return the command that imports the predictions of a row on a split."""
    assert row.imported is not None
    name, rules = row.imported.get_name(dataset.label), row.protocol or named.table.protocol
    limit = _LIMIT.search(named.name.change)
    words = ["chimera-bench", "import", "DIR", "--as", name, "--split", spell(split), "--supervision", "KIND"]
    words += ["--protocol", spell(rules)] if rules else []
    return shlex.join([*words, *(["--max-images", limit[1]] if limit else [])])


def _list_needed(row: ResultRow) -> list[RunState]:
    """Return the states of the runs that a row needs; those of a complete row are done."""
    return [RunState.DONE] * len(row.counted) if row.is_complete else [run.state for run in row.runs]
