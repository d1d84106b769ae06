"""Mean scores of a method over several splits, with intervals over splits, seeds and images; see `pooling`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from benchmark.evaluation.common_seeds import estimate_common_seeds, warn_of_few_seeds
from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.pooling import ONE_SPLIT, name_kind, warn_of_few_splits, warn_of_missing
from benchmark.evaluation.score_samples import sample_scores
from benchmark.evaluation.scores import Convention, Metric
from benchmark.evaluation.sides import Side, check_pool, check_sides
from benchmark.evaluation.stats import Interval, estimate_means, join_cautions, make_interval
from benchmark.evaluation.variation import ScoreSample, estimate_variance


def estimate_over_splits(
    sides: Mapping[str, Side],
    *,
    metrics: Sequence[Metric],
    convention: Convention,
    level: float = 0.95,
    jackknife: ImageJackknife | None = None,
) -> dict[Metric, Interval | None]:
    """Return intervals of the mean scores of a method over splits, seeds and images.

    Args:
        sides: Runs of the method by the name of the split.
        metrics: Scores.
        convention: Convention of the scores.
        level: Level of the intervals.
        jackknife: Scores without each image, if other intervals of the same runs share them.

    Returns:
        Interval by metric, around the mean over splits of the printed means over seeds. Splits on which the score is
        not defined take no part. None if it is defined on no split, or not without one of the images.

    Raises:
        ValueError: There are no splits, runs or images, the splits are not one pool (see `find_pool_obstacle`), or a
            metric or the convention is unknown.
    """
    if not sides:
        raise ValueError("no splits: give the runs of a method on at least one")
    for side in sides.values():
        check_sides([side], metrics=metrics, level=level)
    check_pool(sides)
    jackknife = jackknife or ImageJackknife(tuple(metrics))
    intervals: dict[Metric, Interval | None] = {}
    for metric in metrics:
        means = {
            split: fmean(
                jackknife.compute_printed_score(run, metric=metric, convention=convention) for run in side.counts
            )
            for split, side in sides.items()
        }
        means = {split: mean for split, mean in means.items() if not math.isnan(mean)}
        defined = {split: sides[split] for split in means}
        interval = _estimate(
            defined, list(means.values()), metric=metric, convention=convention, level=level, jackknife=jackknife
        )
        missing = warn_of_missing(len(means), shared=len(sides), sizes=(len(sides),))
        intervals[metric] = _add_caution(interval, missing)
    return intervals


def _estimate(
    sides: Mapping[str, Side],
    means: Sequence[float],
    *,
    metric: Metric,
    convention: Convention,
    level: float,
    jackknife: ImageJackknife,
) -> Interval | None:
    """Return the interval of the mean of a score that is defined on each of these splits."""
    if not sides:
        return None
    if len(sides) == 1:
        (side,) = sides.values()
        known = estimate_means(side, metrics=[metric], convention=convention, level=level, jackknife=jackknife)[metric]
        return _add_caution(known, ONE_SPLIT)
    samples = [
        sample_scores(side, metric=metric, convention=convention, jackknife=jackknife) for side in sides.values()
    ]
    values = np.array([sample.values.mean() for sample in samples])
    is_random = not all(side.is_deterministic for side in sides.values())
    tables = [
        dict(zip(side.seeds, sample.values.tolist(), strict=True))
        for side, sample in zip(sides.values(), samples, strict=True)
        if not side.is_deterministic
    ]
    pooled = ScoreSample(values, np.stack([sample.left_out.mean(axis=0) for sample in samples]))
    variance = estimate_variance([pooled], others=estimate_common_seeds(tables))
    if math.isinf(variance.standard_error):
        return None
    none = "no variation observed: nothing can be concluded" if variance.standard_error == 0 and is_random else ""
    interval = make_interval(fmean(means), variance, level=level)
    return replace(
        interval,
        kind=name_kind(is_random),
        caution=join_cautions(warn_of_few_splits(len(sides)), warn_of_few_seeds([tables]), none),
    )


def _add_caution(interval: Interval | None, caution: str) -> Interval | None:
    return interval and replace(interval, caution=join_cautions(caution, interval.caution))
