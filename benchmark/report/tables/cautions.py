"""Cautions of intervals in the notes of a table: on a single row, or on the whole table if all rows share them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from benchmark.evaluation.scores import Metric
from benchmark.report.differences import AdjustedDifference
from benchmark.report.result_row import Estimate, ResultRow
from benchmark.report.study_results import StudyResults
from benchmark.report.tables.headers import SCORE_HEADERS
from benchmark.report.tables.split_notes import describe_row_splits

NO_INTERVAL = "no interval, as the score is not defined without one of the images"
DIFFERENCE_KEYS = frozenset({"hiou_difference", "p_adjusted", "p_value", "least_p"})
"""Columns that rest on the interval of the difference to the baseline."""


def describe_row_uncertainty(
    results: StudyResults, metrics: Sequence[Metric], printed: Collection[str]
) -> list[list[str]]:
    """Return the notes on the uncertainty of single rows: cautions, and why a row has no difference.

    A caution that all rows share is left to `describe_shared_cautions`.

    Args:
        results: Results of the table.
        metrics: Printed metrics.
        printed: Keys of the printed columns.
    """
    shared_scores, shared_differences = _find_shared_cautions(results, metrics, printed)
    notes = []
    for row, difference, baseline in results.iterate_compared():
        texts = [text for text in list_score_cautions(row, metrics) if text not in shared_scores]
        cautions = _list_difference_cautions(difference, printed)
        texts += [f"ΔhIoU: {text}" for text in cautions if text not in shared_differences]
        unpaired = _count_unpaired(row, difference, baseline)
        if unpaired and DIFFERENCE_KEYS & set(printed):
            place = f" on {unpaired} of {len(difference.by_split)} splits" if difference and difference.by_split else ""
            texts.append(f"ΔhIoU: seeds are not paired{place}")
        if row is not baseline and not row.done and any(results.differences):
            texts.append("no ΔhIoU and p: no run is done")
        texts += describe_row_splits(row, baseline)
        notes.append(texts)
    return notes


def describe_shared_cautions(results: StudyResults, metrics: Sequence[Metric], printed: Collection[str]) -> list[str]:
    """Return the cautions that the intervals of all rows share, see `describe_row_uncertainty`."""
    scores, differences = _find_shared_cautions(results, metrics, printed)
    shared = {"scores": scores, "ΔhIoU": differences}
    notes = {name: "; ".join(texts) for name, texts in shared.items()}
    return [f"The intervals of {name} need caution in every row ({text})." for name, text in notes.items() if text]


def list_score_cautions(row: ResultRow, metrics: Sequence[Metric]) -> list[str]:
    """Return the cautions of a row's intervals, with the names of the scores if others do not have the caution."""
    if not row.done:
        return []
    return name_cautions({SCORE_HEADERS[metric]: _find_caution(row.estimates[metric]) for metric in metrics})


def name_cautions(cautions: Mapping[str, str | None]) -> list[str]:
    """Return cautions, each once, and before it the names of those that have it unless all do.

    Args:
        cautions: Caution by name, several parts joined with semicolons; None if the name takes no part.
    """
    parts = {name: caution.split("; ") for name, caution in cautions.items() if caution is not None}
    texts = dict.fromkeys(part for found in parts.values() for part in found if part)
    holders = {text: [name for name, found in parts.items() if text in found] for text in texts}
    return [text if len(names) == len(parts) else f"{', '.join(names)}: {text}" for text, names in holders.items()]


def _find_caution(estimate: Estimate) -> str | None:
    """Return the caution of an estimate; None if the score is not defined."""
    if math.isnan(estimate.mean):
        return None
    return estimate.interval.caution if estimate.interval is not None else NO_INTERVAL


def _list_difference_cautions(difference: AdjustedDifference | None, printed: Collection[str]) -> list[str]:
    if difference is None or not DIFFERENCE_KEYS & set(printed):
        return []
    return [text for text in difference.paired.interval.caution.split("; ") if text]


def _count_unpaired(row: ResultRow, difference: AdjustedDifference | None, baseline: ResultRow | None) -> int:
    """Return the splits on which seeds take part and belong to no pairs though both rows draw at random."""
    if difference is None or baseline is None or row.is_deterministic or baseline.is_deterministic:
        return 0
    return sum(paired.pairing == "none" and paired.least_p is not None for paired in difference.on_splits)


def _find_shared_cautions(
    results: StudyResults, metrics: Sequence[Metric], printed: Collection[str]
) -> tuple[list[str], list[str]]:
    """Return the cautions of scores and of differences that several rows all have."""
    scores = [list_score_cautions(row, metrics) for row in results.rows if row.done]
    differences = [_list_difference_cautions(known, printed) for known in results.differences if known is not None]
    return _find_shared(scores), _find_shared(differences)


def _find_shared(texts_by_row: Sequence[Sequence[str]]) -> list[str]:
    if len(texts_by_row) < 2:
        return []
    return [text for text in texts_by_row[0] if all(text in texts for texts in texts_by_row)]
