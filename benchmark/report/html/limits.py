"""What a report does not show: limits of seeds, splits, images, methods and code, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.report.alarms import describe_alarms
from benchmark.report.result_row import ResultRow
from benchmark.report.study_results import GroupResults, StudyResults
from benchmark.report.tables.notes import describe_limits
from benchmark.report.tables.provenance import describe_machines
from benchmark.report.tables.traits import name_deciding_traits

FEW_SEEDS, FEW_SPLITS = 5, 5
"""Seeds and splits below which intervals rest on very few values."""
MAX_LABELS = 6
"""Labels that a sentence lists."""


def list_limits(results: StudyResults) -> list[str]:
    """Return what the results cannot show, the weightiest first; all of it holds for this report."""
    rows = results.rows
    return [
        *describe_limits(results),
        *(text for group in results.groups if group.setting is not None for text in _describe_splits(group, results)),
        *_describe_seeds(rows),
        *_describe_unfinished(rows),
        *_describe_stale(rows),
        *_describe_reconstructions(rows),
        *_describe_mixtures(rows),
        *_describe_imported(rows),
        *_describe_alarms(rows),
        *describe_machines(rows),
        *_describe_scope(),
    ]


def _describe_splits(group: GroupResults, results: StudyResults) -> list[str]:
    place = f"{group.name}: " if len(results.groups) > 1 else ""
    number, planned = len(group.list_done_splits()), len(group.splits) or 1
    lacking = f" {count_done_splits(number, planned)}." if number < planned else ""
    if number < 2:
        return [
            f"{place}One choice of unseen classes.{lacking} No interval covers what another choice would change: on "
            "other splits the order of the rows may be another one."
        ]
    least = min(len(row.sides) for row in group.rows if row.done)
    values = f"{number}" if least == number else f"{least} to {number}"
    few = f" {number} of them are few: an interval rests on {values} values." if number < FEW_SPLITS else ""
    return [
        f"{place}{number} choices of unseen classes from the classes of one dataset.{lacking} Intervals cover others "
        f"from these classes, and say nothing about classes or images that the dataset does not have.{few}"
    ]


def count_done_splits(done: int, planned: int) -> str:
    """Return how many of the planned splits have results, as words."""
    return f"{done} of {planned} splits {'has' if done == 1 else 'have'} results"


def _describe_seeds(rows: Sequence[ResultRow]) -> list[str]:
    numbers = sorted({len(side.seeds) for row in rows if not row.is_deterministic for side in row.sides.values()})
    if not numbers or numbers[0] >= FEW_SEEDS:
        return []
    words = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    known = "is known roughly"
    if numbers[0] == 1:
        known = "is not known" if numbers[-1] == 1 else "is not known where there is 1 seed, and roughly elsewhere"
    return [f"{words} seed{'s' * (words != '1')} per row and split: the variation over seeds {known}."]


def _describe_unfinished(rows: Sequence[ResultRow]) -> list[str]:
    lacking = [row for row in rows if not row.is_complete]
    runs = sum(run.scores is None for row in lacking for run in row.runs)
    if not runs:
        return []
    return [f"{runs} planned run{'s have' if runs > 1 else ' has'} no result ({_list_labels(lacking)})."]


def _describe_stale(rows: Sequence[ResultRow]) -> list[str]:
    stale, done = sum(run.is_stale for row in rows for run in row.done), sum(len(row.done) for row in rows)
    if not stale:
        return []
    return [
        f"{stale} of {done} results are stale: code or inputs have changed since, and a rerun may give other numbers. "
        "To repeat them: chimera-bench rerun STUDY --stale."
    ]


def _describe_reconstructions(rows: Sequence[ResultRow]) -> list[str]:
    some = [row for row in rows if row.reconstruction]
    if not some:
        return []
    return [
        f"{len(some)} of {len(rows)} rows are reconstructions of their papers in part ({_list_labels(some)}); the "
        "details of a row say which parts. They are no evidence about code that the authors did not publish."
    ]


def _describe_mixtures(rows: Sequence[ResultRow]) -> list[str]:
    traits = name_deciding_traits(rows)
    return [f"Rows are of several protocol classes: they differ in {traits}. Ranks stay within a class."] * bool(traits)


def _describe_imported(rows: Sequence[ResultRow]) -> list[str]:
    some = [row for row in rows if row.is_imported]
    return [f"Imported predictions: {_list_labels(some)}. How they were made is not known here."] if some else []


def _describe_alarms(rows: Sequence[ResultRow]) -> list[str]:
    some = [row for row in rows if describe_alarms(row)]
    return [f"Alarms of results, which the details of a row name: {_list_labels(some)}."] if some else []


def _describe_scope() -> list[str]:
    return [
        "Hyperparameters: nothing here says how those of a method were chosen, or how it would do with others.",
        "The figure of gamma sweeps over test images. Its best point is not a result.",
        "Whether a result repeats bit for bit elsewhere is not recorded here: chimera-bench verify RUN checks it.",
        "Times are those of the machines of the runs, which may have done other work beside.",
    ]


def _list_labels(rows: Sequence[ResultRow]) -> str:
    labels = list(dict.fromkeys(row.label for row in rows))
    more = len(labels) - MAX_LABELS
    return ", ".join(labels[:MAX_LABELS]) + (f" and {more} more" if more > 0 else "")
