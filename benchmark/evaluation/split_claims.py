"""What comparisons on one split claim of all splits, and sentences on the choice of unseen classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from benchmark.evaluation.pooling import PooledDifference


class OneSplitClaims(NamedTuple):
    """Claims of the comparisons on single splits, judged by the mean over all splits.

    Attributes:
        total: Number of comparisons on one split.
        num_missing: Number of those whose own interval excludes the mean over splits.
        num_significant: Number of those with a significant difference.
        num_wrong: Number of those with a significant difference of the sign opposite to that of the mean over splits.
    """

    total: int
    num_missing: int
    num_significant: int
    num_wrong: int


def count_one_split_claims(differences: Sequence[PooledDifference]) -> OneSplitClaims:
    """Count how often a study on one split would have missed the mean over splits, or found the opposite sign.

    The mean over splits has an error of its own and contains each split, so that the counts describe these splits and
    are no estimates of rates. About 5 % of 95 % intervals would miss if the choice of classes changed nothing.

    Args:
        differences: Comparisons over splits; those over a single split are not counted.
    """
    pairs = [
        (pooled, paired) for pooled in differences for paired in pooled.by_split.values() if len(pooled.splits) > 1
    ]
    is_significant = [paired.p_value < 1 - paired.interval.level for _, paired in pairs]
    return OneSplitClaims(
        total=len(pairs),
        num_missing=sum(
            not paired.interval.low <= pooled.difference <= paired.interval.high for pooled, paired in pairs
        ),
        num_significant=sum(is_significant),
        num_wrong=sum(
            found and paired.difference * pooled.difference < 0
            for found, (pooled, paired) in zip(is_significant, pairs, strict=True)
        ),
    )


def describe_one_split_claims(claims: OneSplitClaims) -> str:
    """Return the counts of claims as a sentence; empty if there are none."""
    if not claims.total:
        return ""
    missing, wrong = (100 * number / claims.total for number in (claims.num_missing, claims.num_wrong))
    return (
        f"Of {claims.total} comparisons on one split, {claims.num_missing} ({missing:.0f} %) have an interval that "
        f"excludes the mean over splits, and {claims.num_wrong} ({wrong:.0f} %) are significant with the opposite sign."
    )


def describe_signs(difference: PooledDifference) -> str:
    """Return on how many splits the sign holds, as "positive on 9 of 12 splits (sign test p = 0.15)"."""
    total, up, down = len(difference.splits), difference.num_positive, difference.num_negative
    if not up + down:
        return f"0 on {f'all {total} splits' if total > 1 else 'the one split'}"
    word, number = ("positive", up) if up >= down else ("negative", down)
    return f"{word} on {number} of {total} splits (sign test p = {difference.sign_p:.2g})"


def describe_spread(difference: PooledDifference) -> str:
    """Return how much of the variance of a difference the choice of unseen classes explains, as a sentence."""
    parts, share = difference.components, difference.split_share
    if parts is None or share is None or parts.share_interval is None or parts.split_sd is None:
        reason = "one split" if len(difference.splits) == 1 else "no split has several runs"
        if share == 0:
            reason = "differences vary less between splits than seeds and images alone would make them"
        reason = "the variation is unknown" if math.isinf(difference.standard_error) else reason
        return f"How much the choice of unseen classes explains is not known: {reason}."
    if math.isnan(share):
        return "Nothing varies: neither the choice of unseen classes nor seeds or images change the difference."
    low, high = (100 * bound for bound in parts.share_interval)
    return (
        f"The choice of unseen classes explains {100 * share:.0f} % (95 % interval {low:.0f} to {high:.0f}) of the "
        "variance of a difference of two runs on one split; the true difference varies between splits by "
        f"{parts.split_sd:.1f} points (standard deviation)."
    )
