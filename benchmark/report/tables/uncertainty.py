"""Notes on uncertainty: what intervals, differences, p values and ranks cover, and which of them are unreliable."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.evaluation.families import explain_undecidable
from benchmark.evaluation.scores import Metric
from benchmark.evaluation.stats import Interval
from benchmark.report.differences import AdjustedDifference
from benchmark.report.rows import Row
from benchmark.report.study_results import StudyResults

RULE = "Student's t, Satterthwaite's degrees of freedom"
METRIC_TEXTS: dict[Metric, str] = {
    "miou": "mIoU: mean over all classes, which is not the mean of mIoU(S) and mIoU(U)",
    "pixel_accuracy": "Acc: share of the labeled pixels whose class was predicted",
    "miou_image": "mIoU(I): mean over images of the mean IoU of the classes of an image",
    "miou_class": "mIoU(C): mean over classes of the mean IoU of the images with the class",
    "miou_image_worst_5": "mIoU(I) 5%: mean over the worst 5% of the images",
    "miou_image_worst_1": "mIoU(I) 1%: mean over the worst 1% of the images",
    "miou_class_worst_5": "mIoU(C) 5%: mean over classes of the worst 5% of the images with the class",
    "miou_class_worst_1": "mIoU(C) 1%: mean over classes of the worst 1% of the images with the class",
}
"""Meanings of the selectable metrics; those of images and their worst parts follow arXiv 2310.19252."""


def describe_scores(rows: Sequence[Row], metrics: Sequence[Metric]) -> list[str]:
    """Return the notes on the intervals of scores and on the marking of the best."""
    return [*describe_intervals(rows, metrics), *_describe_ranking(rows)] if metrics else []


def describe_intervals(rows: Sequence[Row], metrics: Sequence[Metric]) -> list[str]:
    """Return the notes on what the intervals of scores cover, by their printed form."""
    intervals = [row.estimates[metric].interval for row in rows if row.done for metric in metrics]
    kinds: dict[str, Interval] = {interval.kind: interval for interval in intervals if interval is not None}
    texts = []
    if "seeds and images" in kinds:
        level = kinds["seeds and images"].level
        texts.append(
            f"±: half width of the {level:.0%} interval over seeds and images ({RULE}; variance over seeds plus "
            f"jackknife variance over images)."
        )
    if "images" in kinds:
        level = kinds["images"].level
        texts.append(f"[low, high] of a score: {level:.0%} jackknife interval over the images alone, for a single run.")
    if len(kinds) > 1:
        texts.append("The two kinds of interval cover different sources of uncertainty: do not compare their widths.")
    return texts


def describe_metric(metric: Metric, _results: StudyResults) -> list[str]:
    """Return the note on the meaning of a selectable metric."""
    return [f"{METRIC_TEXTS[metric]}."]


def describe_runs(results: StudyResults) -> list[str]:
    """Return the note on deterministic rows; none if there are none."""
    if not any(row.is_deterministic for row in results.rows):
        return []
    return [
        "det.: deterministic; nothing is drawn and nothing trained, so that one run gives the result of every seed."
    ]


def describe_differences(results: StudyResults) -> list[str]:
    """Return the note on differences to the baseline; none if there are none."""
    known = [difference.paired for difference in results.differences if difference is not None]
    if known:
        kinds = " or ".join(sorted({f"{paired.interval.kind}" for paired in known}, reverse=True))
        return [
            f"ΔhIoU: difference from {results.baseline.label!r} in percentage points on the same images, with the "
            f"{known[0].interval.level:.0%} interval over {kinds} (paired where seeds are shared; {RULE})."
        ]
    return []


def describe_baseline(results: StudyResults) -> list[str]:
    """Return the note that no row can be compared because the baseline has no result; none if it has one."""
    baseline = results.baseline
    if baseline.done or len(results.rows) < 2 or results.setting is None:
        return []
    return [
        f"No ΔhIoU and p: the baseline {baseline.label!r} has no finished run ({baseline.state}); another row can be "
        f"the baseline (--baseline LABEL)."
    ]


def describe_p_values(results: StudyResults) -> list[str]:
    """Return the note on p values; none if there are none."""
    number = sum(difference is not None for difference in results.differences)
    return [f"p: two-sided, Holm over {number} comparison{'s' if number > 1 else ''}."] if number else []


def describe_least_p(results: StudyResults) -> list[str]:
    """Return the notes on the least p values of exact tests, with a warning if they cannot decide the family."""
    least = [difference.paired.least_p for difference in results.differences if difference is not None]
    if not any(value is not None for value in least):
        return []
    text = "least p: the smallest p, before Holm, that an exact sign-flip test with this number of seeds could give."
    warning = explain_undecidable(least)
    return [text, *([warning] if warning else [])]


def describe_ranks(results: StudyResults) -> list[str]:
    """Return the note on ranks; none if no row has one."""
    if not any(results.ranks):
        return []
    return [
        "Rank: by hIoU among the rows with all runs and the same supervision, with the ranks that the 95% intervals of "
        "the differences between these rows allow (Mogstad et al. 2024); '=': the same hIoU as another row."
    ]


def describe_row_uncertainty(results: StudyResults) -> list[list[str]]:
    """Return the notes on the uncertainty of single rows: cautions, and why a row has no difference.

    A caution that all rows share is left to `describe_shared_cautions`.
    """
    shared = _find_shared_cautions(results)
    notes = []
    for row, difference in zip(results.rows, results.differences, strict=True):
        cautions = (_find_caution(row), _find_difference_caution(difference))
        texts = [text for text, common in zip(cautions, shared, strict=True) if text != common]
        if _lacks_difference(row, results):
            texts.append("no ΔhIoU and p: no run is done")
        notes.append([text for text in texts if text])
    return notes


def describe_shared_cautions(results: StudyResults) -> list[str]:
    """Return the cautions that the intervals of all rows share."""
    return [f"Every row: {caution}." for caution in _find_shared_cautions(results) if caution]


def _lacks_difference(row: Row, results: StudyResults) -> bool:
    is_compared = any(difference is not None for difference in results.differences)
    return is_compared and row is not results.baseline and not row.done


def _find_caution(row: Row) -> str:
    interval = row.estimates["hiou"].interval if row.done else None
    return interval.caution if interval is not None else ""


def _find_difference_caution(difference: AdjustedDifference | None) -> str:
    caution = difference.paired.interval.caution if difference is not None else ""
    return f"ΔhIoU: {caution}" if caution else ""


def _find_shared_cautions(results: StudyResults) -> tuple[str, str]:
    """Return the cautions of scores and of differences that several rows all have; empty if they differ."""
    scores = [_find_caution(row) for row in results.rows if row.done]
    differences = [_find_difference_caution(known) for known in results.differences if known is not None]
    return _find_shared(scores), _find_shared(differences)


def _find_shared(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) > 1 and len(set(texts)) == 1 else ""


def _describe_ranking(rows: Sequence[Row]) -> list[str]:
    kinds = sorted({row.supervision for row in rows if row.supervision})
    best = "Best (bold or *): highest as printed among the rows with all runs"
    if len(kinds) > 1:
        return [f"{best} and the same supervision; kinds of supervision are not ranked against each other."]
    if sum(row.is_complete for row in rows) > 1:
        return [f"{best}. Supervision of every row: {kinds[0] if kinds else 'not recorded'}."]
    return [f"Supervision: {kinds[0]}."] if kinds else []
