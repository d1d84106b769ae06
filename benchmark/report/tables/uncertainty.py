"""Notes on uncertainty: what intervals, differences, p values and ranks cover, and which of them are unreliable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmark.evaluation.families import explain_undecidable
from benchmark.evaluation.pooling import PooledDifference
from benchmark.evaluation.scores import Metric
from benchmark.evaluation.sides import MIN_SHARED_SEEDS
from benchmark.evaluation.stats import NUMBERS, Interval, PairedDifference
from benchmark.report.result_row import ResultRow
from benchmark.report.study_results import StudyResults
from benchmark.report.tables.traits import name_deciding_traits
from benchmark.utils.plain_text import quote_text

RULE = "Student's t, Satterthwaite's degrees of freedom"
SOURCES = {
    "splits, seeds and images": ", other seeds, and other images of the dataset",
    "splits and images": " and other images of the dataset",
}
"""What intervals over several splits cover beside other choices of unseen classes, by their kind."""
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


def describe_scores(rows: Sequence[ResultRow], metrics: Sequence[Metric]) -> list[str]:
    """Return the notes on the intervals of scores and on the marking of the best."""
    return [*describe_intervals(rows, metrics), *_describe_ranking(rows)] if metrics else []


def describe_intervals(rows: Sequence[ResultRow], metrics: Sequence[Metric]) -> list[str]:
    """Return the notes on what the intervals of scores cover, by their printed form."""
    intervals = [row.estimates[metric].interval for row in rows if row.done for metric in metrics]
    kinds: dict[str, Interval] = {interval.kind: interval for interval in intervals if interval is not None}
    pooled = [kind for kind in SOURCES if kind in kinds]
    texts = []
    if pooled:
        fixed = "; of deterministic rows over splits and images" if len(pooled) > 1 else ""
        texts.append(
            f"Scores are means over splits of means over seeds. ±: half width of the {kinds[pooled[0]].level:.0%} "
            f"interval over {pooled[0]}{fixed} ({RULE}): other choices of unseen classes from the same "
            f"classes{SOURCES[pooled[0]]}."
        )
    if "seeds and images" in kinds:
        level = kinds["seeds and images"].level
        texts.append(
            f"±: half width of the {level:.0%} interval over seeds and images ({RULE}; variance over seeds plus "
            f"jackknife variance over images)."
        )
    if "images" in kinds:
        level = kinds["images"].level
        texts.append(f"[low, high] of a score: {level:.0%} jackknife interval over the images alone, for a single run.")
    if len(texts) > 1:
        number = "two" if len(texts) == 2 else "three"
        texts.append(
            f"The {number} kinds of interval cover different sources of uncertainty: do not compare their widths."
        )
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


def describe_groups(results: StudyResults) -> list[str]:
    """Return the note that rows of different groups are not compared; none if there is one group."""
    number = len(results.groups)
    if number < 2:
        return []
    text = "Scores of different splits or settings are not comparable: differences, ranks and best values are within"
    lacking = [group.name for group in results.groups if group.baseline is None and len(group.rows) > 1]
    texts = [f"{text} each of the {number}."]
    if lacking:
        texts.append(f"No ΔhIoU and p on {', '.join(lacking)}: there is no row {quote_text(results.baseline.label)}.")
    return texts + [f"No mean over {text}." for text in results.obstacles]


def describe_differences(results: StudyResults) -> list[str]:
    """Return the note on differences to the baseline; none if there are none."""
    known = [difference.paired for difference in results.differences if difference is not None]
    if known:
        kinds = " or ".join(sorted({f"{paired.interval.kind}" for paired in known}, reverse=True))
        family = "; not corrected for the number of comparisons, as p is" if len(known) > 1 else ""
        place = _describe_place(results)
        return [
            f"ΔhIoU: difference from {quote_text(results.baseline.label)}{place} in percentage points on the same "
            f"images, with the {known[0].interval.level:.0%} interval over {kinds} ({RULE}{family}).",
            *describe_pairing([paired for one in results.differences if one is not None for paired in one.on_splits]),
        ]
    return []


def describe_other_classes(results: StudyResults) -> list[str]:
    """Return the note on differences between rows of two protocol classes; none if there are none."""
    rows: dict[tuple[str, str], dict[str, None]] = {}
    for row, difference, baseline in results.iterate_compared():
        if difference is not None and baseline is not None and not difference.is_within_class:
            traits = name_deciding_traits([row, baseline]) or "supervision"
            rows.setdefault((baseline.label, traits), {})[row.label] = None
    if not rows:
        return []
    parts = [
        f"{traits} than {quote_text(baseline)}: {', '.join(labels)}" for (baseline, traits), labels in rows.items()
    ]
    return [
        f"Compared with a baseline of another class (other {'; other '.join(parts)}). ΔhIoU and p then say whether the "
        "scores differ, not which method is better, as the two methods were not given the same."
    ]


def _describe_place(results: StudyResults) -> str:
    """Return on which splits rows are compared; empty if there is only one."""
    if not results.has_pools:
        return " on the same split" if len(results.groups) > 1 else ""
    return ", mean over the splits that both rows have,"


def describe_pairing(known: Sequence[PairedDifference]) -> list[str]:
    """Return the note on which seeds are compared pair by pair; none if no seeds take part in a difference."""
    if all(paired.least_p is None for paired in known):
        return []
    return [f"Seeds are paired if they are equal or at least {NUMBERS[MIN_SHARED_SEEDS]} are shared."]


def describe_baseline(results: StudyResults) -> list[str]:
    """Return the notes that rows cannot be compared because the baseline of their group has no result."""
    return [
        f"No ΔhIoU and p{f' on {group.name}' if len(results.groups) > 1 else ''}: the baseline "
        f"{quote_text(group.baseline.label)} has no finished run ({group.baseline.state}); another row can be the "
        f"baseline (--baseline LABEL, or baseline: in the file of a paper)."
        for group in results.groups
        if group.baseline is not None and not group.baseline.done and len(group.rows) > 1 and group.setting is not None
    ]


def describe_p_values(results: StudyResults) -> list[str]:
    """Return the note on p values; none if there are none."""
    number = sum(difference is not None for difference in results.differences)
    family = f", Holm over {number} comparisons" if number > 1 else ""
    splits = ", those of all splits together" if len(results.groups) > 1 and family else ""
    return [f"p: two-sided{family}{splits}."] if number else []


def describe_least_p(results: StudyResults) -> list[str]:
    """Return the notes on the least p values of exact tests, with a warning if they cannot decide the family."""
    pairs = [
        (difference.paired, row.is_deterministic or baseline.is_deterministic)
        for row, difference, baseline in results.iterate_compared()
        if difference is not None and baseline is not None
    ]
    least = [paired.least_p for paired, _ in pairs]
    if not any(value is not None for value in least):
        return []
    text = (
        f"least p: the smallest p, before Holm, that an exact test with this number of "
        f"{'splits or seeds' if results.has_pools else 'seeds'} could give "
        f"({name_exact_tests(pairs)})."
    )
    warning = "" if results.has_pools else explain_undecidable(least)
    return [text, *([warning] if warning else [])]


def describe_ranks(results: StudyResults) -> list[str]:
    """Return the note on ranks; none if no row has one."""
    if not any(rank for group in results.groups for rank in group.ranks):
        return []
    shared = name_deciding_traits(results.rows) or "supervision"
    return [
        f"Rank: by hIoU among the rows with all runs and the same {shared}, with the ranks that the 95% intervals of "
        "the differences between these rows allow (Mogstad et al. 2024); '=': the same hIoU as another row."
    ]


def name_exact_tests(pairs: Iterable[tuple[PairedDifference | PooledDifference, bool]]) -> str:
    """Return the exact tests that suit some differences, see `least_p` of these.

    Args:
        pairs: Differences, and whether a side of each is deterministic.
    """
    kinds = {_name_exact_test(paired, is_deterministic) for paired, is_deterministic in pairs if paired.least_p}
    return ", ".join(sorted(kinds, reverse=True))


def _name_exact_test(paired: PairedDifference | PooledDifference, is_deterministic: bool) -> str:
    if isinstance(paired, PooledDifference) and len(paired.splits) > 1:
        return "sign flips of splits"
    first = next(iter(paired.by_split.values())) if isinstance(paired, PooledDifference) else paired
    if first.pairing != "none":
        return "sign flips of pairs"
    return (
        "sign flips of the runs against a deterministic method" if is_deterministic else "permutations of unpaired runs"
    )


def _describe_ranking(rows: Sequence[ResultRow]) -> list[str]:
    kinds = sorted({row.supervision for row in rows if row.supervision})
    best = "Best (bold or *): highest as printed among the rows with all runs"
    traits = name_deciding_traits(rows)
    if traits == "supervision":
        return [f"{best} and the same supervision; kinds of supervision are not ranked against each other."]
    if traits:
        return [f"{best} and the same {traits}; others are not ranked against each other."]
    if sum(row.is_complete for row in rows) > 1:
        return [f"{best}. Supervision of every row: {kinds[0] if kinds else 'not recorded'}."]
    return [f"Supervision: {kinds[0]}."] if kinds else []
