"""Notes on rows over several splits: which splits, how much they differ, and what a single one would have claimed."""

from __future__ import annotations

from benchmark.evaluation.families import explain_undecidable
from benchmark.evaluation.pooling import PooledDifference
from benchmark.evaluation.split_claims import count_one_split_claims, describe_one_split_claims
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.result_row import ResultRow
from benchmark.report.split_names import list_splits
from benchmark.report.study_results import GroupResults, StudyResults


def describe_pool(group: GroupResults) -> str:
    """Return the note on the splits of a group over several."""
    names = [split.name for split in group.splits]
    return (
        f"Over {len(names)} splits of one dataset ({list_splits(names)}) that differ in nothing but which classes are "
        f"unseen; every split counts the same."
    )


def describe_row_splits(row: ResultRow, baseline: ResultRow | None) -> list[str]:
    """Return the notes on the splits that a row over several lacks; none for other rows."""
    if not isinstance(row, PooledRow) or not row.done:
        return []
    texts = []
    if len(row.done_members) < row.num_splits:
        number = f"{len(row.done_members)} of {row.num_splits}"
        texts.append(f"scores over {number} splits: means over different splits are not comparable")
    if isinstance(baseline, PooledRow) and baseline.done and not set(row.sides) & set(baseline.sides):
        texts.append("no ΔhIoU and p: no split on which the baseline is done too")
    return texts


def describe_effects(results: StudyResults) -> list[str]:
    """Return the notes on differences over several splits; none if there are none."""
    pooled = list_pooled(results)
    if not pooled:
        return []
    has_several = any(len(difference.splits) > 1 for difference in pooled)
    texts = ["Sign: splits on which the difference has the sign of its mean."]
    if any(difference.split_sd is not None for difference in pooled):
        texts[0] += (
            " Split SD: standard deviation of the true differences between splits, noise of seeds and images removed. "
            "Share: part of the variance of a difference of two runs on one split that the choice of unseen classes "
            "explains, with its 95% interval."
        )
    if any(one.split_share == 0 and one.components and one.components.share_interval is None for one in pooled):
        texts[0] += " No Share: differences vary less between splits than seeds and images alone would make them."
    texts.append(describe_one_split_claims(count_one_split_claims(pooled)))
    least = [difference.least_p for difference in pooled]
    texts.append(explain_undecidable(least, units="splits" if has_several else "seeds"))
    return [text for text in texts if text]


def list_pooled(results: StudyResults) -> list[PooledDifference]:
    """Return the differences of a table that are over several splits."""
    pooled = [known.pooled for known in results.differences if known is not None]
    return [difference for difference in pooled if difference is not None]


def count_same_sign(difference: PooledDifference) -> int:
    """Return the number of splits on which a difference has the sign of its mean."""
    if difference.difference == 0:
        return len(difference.splits) - difference.num_positive - difference.num_negative
    return difference.num_positive if difference.difference > 0 else difference.num_negative
