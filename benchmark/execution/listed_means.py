"""Means and differences that the JSON file of a table states, against those of the runs that it lists.

The scores of a run are those of its counts if these are at hand, whatever the file states of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from benchmark.evaluation.sides import MIN_SHARED_SEEDS
from benchmark.execution.listed_rows import ListedRun, ListedScores, StatedRow, TableFile, is_one_result
from benchmark.report.tables.json_text import DECIMALS

METRICS = {"hiou": "hIoU", "miou_seen": "S", "miou_unseen": "U"}
"""Compared scores: name in the file, and heading."""
TOLERANCE = 1.5 * 10.0**-DECIMALS
"""Largest distance, in points, of a stated score from the one that it rounds; means are made of rounded scores, too."""


def list_contradictions(
    file: TableFile, recomputed: Mapping[str, Mapping[str, float | None]]
) -> Iterator[tuple[str, str]]:
    """Yield the label of a row, and what the file states of it otherwise than its own runs give.

    Columns that the file leaves out are not checked.

    Args:
        file: JSON file of a table.
        recomputed: Scores of `METRICS` by run ID, from the counts that the file names; None if undefined. Of other
            runs, the scores that the file states count, and the text says so.
    """
    finished = _FinishedRuns(file, recomputed)
    for row, shown in zip(file.rows, file.list_rows(), strict=True):
        group = file.find_group(row.group)
        baseline = None if group is None else group.baseline
        text = _describe_wrong(row, finished, groups=[row.group], baseline=baseline)
        if text:
            yield shown.label, f"the table states other means than those of its runs: {text}"
    for pool in file.pooled:
        groups = [split.name for split in pool.splits]
        for pooled in pool.rows:
            text = _describe_wrong(pooled, finished, groups=groups, baseline=pool.baseline)
            if text:
                place = pooled.group or f"{len(groups)} splits"
                yield f"{pooled.label} over {place}", f"the table states other means than those of its splits: {text}"


def describe_misstatement(stated: ListedScores, actual: Mapping[str, float | None]) -> str:
    """Name the scores that are not the actual ones, None if undefined; empty if all are."""
    return _describe_unequal({METRICS[metric]: (getattr(stated, metric), value) for metric, value in actual.items()})


class _FinishedRuns:
    """Finished runs of every row on one split, with their recomputed scores if there are any."""

    def __init__(self, file: TableFile, recomputed: Mapping[str, Mapping[str, float | None]]) -> None:
        self._recomputed = recomputed
        self._rows = [(row, [self._correct(run) for run in row.list_finished()]) for row in file.rows]

    def _correct(self, run: ListedRun) -> ListedRun:
        return run.model_copy(update=dict(self._recomputed.get(run.spec.id, {})))

    def count_stated(self, runs: Sequence[ListedRun]) -> int:
        """Return how many of these runs have the scores that the file states."""
        return len({run.spec.id for run in runs} - self._recomputed.keys())

    def find(self, row: StatedRow, group: str) -> Sequence[ListedRun]:
        """Return the runs of a row in a group; none if it has none there."""
        key = (row.label, row.method, group)
        return next((runs for one, runs in self._rows if (one.label, one.method, one.group) == key), ())

    def list_references(self, groups: Sequence[str], baseline: str | None) -> list[StatedRow]:
        """Return the rows of a baseline's label in these groups, one for each method that has such a row."""
        named = {one.method: one for one, _ in self._rows if one.group in groups and one.label == baseline}
        return list(named.values())


def _describe_wrong(row: StatedRow, finished: _FinishedRuns, *, groups: Sequence[str], baseline: str | None) -> str:
    """Name the means of a row over its groups, one a split, that it states otherwise than its runs give.

    A difference is not checked if the row states none, is the baseline, or if rows of several methods have the
    baseline's label.
    """
    members = [finished.find(row, group) for group in groups]
    pairs: dict[str, tuple[float | None, float | None]] = {
        heading: (getattr(row, metric), _average([_compute_mean(_select_counted(runs), metric) for runs in members]))
        for metric, heading in METRICS.items()
        if metric in row.model_fields_set
    }
    unknown, used = "", [run for runs in members for run in runs]
    if row.hiou_difference is not None and row.label != baseline:
        references = finished.list_references(groups, baseline)
        unknown = "" if references else f"ΔhIoU from {_name_baseline(baseline)}"
        if len(references) == 1:
            others = [finished.find(references[0], group) for group in groups]
            differences = [_compute_difference(*pair) for pair in zip(members, others, strict=True)]
            pairs["ΔhIoU"] = row.hiou_difference, _average(differences)
            used += [run for runs in others for run in runs]
    wrong, num_stated = _describe_unequal(pairs), finished.count_stated(used)
    if wrong and num_stated:
        wrong += f" (by the stated scores of {num_stated} of {len(used)} runs, whose counts are not here)"
    return ", ".join(text for text in (wrong, unknown) if text)


def _name_baseline(baseline: str | None) -> str:
    return "a baseline that it does not name" if baseline is None else f"{baseline!r}, which is no row of it"


def _select_counted(finished: Sequence[ListedRun]) -> Sequence[ListedRun]:
    return finished[:1] if is_one_result(finished) else finished


def _compute_mean(runs: Sequence[ListedRun], metric: str) -> float | None:
    values = [getattr(run, metric) for run in runs]
    return fmean(values) if values and None not in values else None


def _compute_difference(runs: Sequence[ListedRun], reference: Sequence[ListedRun]) -> float | None:
    """Return the difference of mean hIoU, over the shared seeds if these are paired; None if it is not defined."""
    sides = [_select_counted(side) for side in (runs, reference)]
    shared = {run.spec.seed for run in runs} & {run.spec.seed for run in reference}
    if len(shared) >= MIN_SHARED_SEEDS and not (is_one_result(runs) or is_one_result(reference)):
        sides = [[run for run in side if run.spec.seed in shared] for side in sides]
    first, second = (_compute_mean(side, "hiou") for side in sides)
    return None if first is None or second is None else first - second


def _average(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are defined; None if there are none."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _describe_unequal(pairs: Mapping[str, tuple[float | None, float | None]]) -> str:
    return ", ".join(
        f"{name} {_format_score(stated)} instead of {_format_score(actual)}"
        for name, (stated, actual) in pairs.items()
        if not _is_equal(stated, actual)
    )


def _is_equal(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= TOLERANCE


def _format_score(score: float | None) -> str:
    return "undefined" if score is None else f"{score:.{DECIMALS}f}"
