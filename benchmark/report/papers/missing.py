"""Missing runs of a paper's table, and the commands that compute them."""

from __future__ import annotations

from benchmark.core.run_state import RunState
from benchmark.report.papers.paper_results import PaperResults
from benchmark.report.result_row import ResultRow


def describe_missing(results: PaperResults) -> list[str]:
    """Return a note per dataset whose runs are not all done, with the command that computes the missing ones.

    The commands name no folder of runs or data, so that a table has the same bytes on every machine.
    """
    notes = []
    for index, dataset in enumerate(results.datasets):
        states = [
            state for cell in results.get_column(index) if cell.row is not None for state in _list_needed(cell.row)
        ]
        missing = sum(state is not RunState.DONE for state in states)
        if missing:
            words = f"{results.named.name}{f' --split {dataset.split}' if dataset.split else ''}"
            notes.append(
                f"{dataset.label}: {missing} of {len(states)} runs missing. To compute them: chimera-bench run {words} "
                f"(or submit); chimera-bench missing {words} lists them and their cost."
            )
    return notes


def _list_needed(row: ResultRow) -> list[RunState]:
    """Return the states of the runs that a row needs; those of a complete row are done."""
    return [RunState.DONE] * len(row.counted) if row.is_complete else [run.state for run in row.runs]
