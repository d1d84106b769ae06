"""Variance of what a seed does on all splits alike, which the spread between splits does not show.

A seed has the same number on all splits, and may begin with the same weights and see the images in the same order. An
effect that it has on every split moves all of their values together. In the table of splits and seeds, the mean square
of the seeds exceeds that of the rest by the number of splits times its variance (Searle, Casella and McCulloch 1992,
chapter 4).
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.evaluation.score_samples import DifferenceSample


def estimate_common_seeds(tables: Sequence[Mapping[int, float]]) -> list[tuple[float, float]]:
    """Return the variance that the common effects of seeds add to the mean over splits, with its degrees of freedom.

    It is estimated from the splits that have all seeds which most of them have. An estimate below 0 is 0.

    Args:
        tables: Score, or difference of paired runs, by seed on each of two or more splits.

    Returns:
        One variance; none if fewer than two splits share two seeds or more.
    """
    seeds = _find_common_seeds(tables)
    if not seeds:
        return []
    scores = np.array([[table[seed] for seed in seeds] for table in tables if set(seeds) <= set(table)])
    splits, count = scores.shape
    rest = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
    of_rest = float((rest**2).sum()) / ((splits - 1) * (count - 1))
    variance = max(0.0, float(scores.mean(axis=0).var(ddof=1)) - of_rest / splits)
    weights = [np.mean([1 / len(table) if seed in table else 0.0 for table in tables]) for seed in set().union(*tables)]
    return [(variance * float(np.square(weights).sum()), count - 1.0)]


def list_seed_tables(samples: Sequence[DifferenceSample]) -> list[list[Mapping[int, float]]]:
    """Return the scores by seed on each split: of pairs if runs are paired on most splits, or of each random side."""
    layout = Tally(len(sample.by_seed) for sample in samples).most_common(1)[0][0]
    return [list(side) for side in zip(*(each.by_seed for each in samples if len(each.by_seed) == layout), strict=True)]


def warn_of_few_seeds(sides: Sequence[Sequence[Mapping[int, float]]]) -> str:
    """Return the cautions of seeds so few that what they do on all splits alike is not known, or hardly.

    Args:
        sides: Scores, or differences of paired runs, by seed on each split; of each random side that is not paired.
    """
    return "; ".join(dict.fromkeys(filter(None, map(_warn_of_few_seeds, sides))))


def _warn_of_few_seeds(tables: Sequence[Mapping[int, float]]) -> str:
    if len(_find_common_seeds(tables)) == 2:
        return "two seeds: what they do on all splits alike is hardly known, which can make the interval wide"
    alone = Tally(seed for table in tables if len(table) == 1 for seed in table)
    if any(len(table) > 1 for table in tables) or not alone or alone.most_common(1)[0][1] == 1:
        return ""
    return "one seed: what it does on all splits alike is not covered"


def _find_common_seeds(tables: Sequence[Mapping[int, float]]) -> tuple[int, ...]:
    """Return the seeds that most splits with several have; none if fewer than two splits have all of them."""
    several = Tally(tuple(sorted(table)) for table in tables if len(table) > 1)
    seeds = several.most_common(1)[0][0] if several else ()
    return seeds if sum(set(seeds) <= set(table) for table in tables) > 1 else ()
