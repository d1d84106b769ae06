"""Uncertainty of scores: intervals over seeds, intervals over images, and paired comparisons.

Seeds and images are different sources of uncertainty, and `Interval.kind` says which of them an interval covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.evaluation.counts import Counts, Matrix
from benchmark.evaluation.resampling import PairedResampler, draw_weights, resample_scores
from benchmark.evaluation.scores import METRICS, Convention, Floats, Metric, score
from benchmark.utils.did_you_mean import explain_unknown_name

REPLICATES = 2000


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low: Lower end, in the unit of the score.
        high: Upper end.
        level: Probability that such an interval contains the true value, 0 to 1.
        kind: Source of the variation: "seeds", "images" or "images and seeds".
    """

    low: float
    high: float
    level: float
    kind: str


@dataclass(frozen=True)
class PairedDifference:
    """Difference of two methods, a - b, on the same images.

    Attributes:
        metric: Score that is compared.
        convention: Convention of that score.
        difference: Mean over the seeds of a minus that of b, in percentage points.
        interval: Interval of the difference.
        p_value: Two-sided, of no difference; not corrected for the number of comparisons (see `adjust_holm`).
        replicates: Number of resamplings behind the interval and the p value.
        images: Number of images both were evaluated on.
        seeds: Numbers of runs of a and of b.
    """

    metric: Metric
    convention: Convention
    difference: float
    interval: Interval
    p_value: float
    replicates: int
    images: int
    seeds: tuple[int, int]


def compute_t_interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """Return Student's interval of the mean over seeds.

    With three seeds it reaches 2.5 standard deviations to each side.

    Args:
        values: Score of each seed.
        level: Level of the interval.

    Returns:
        None if no interval exists: there is a single value, or one that is not finite.

    Raises:
        ValueError: There are no values, or the level is outside 0 … 1.
    """
    from scipy.special import stdtrit

    _check_level(level)
    if not len(values):
        raise ValueError("there are no values to give an interval for: give the score of at least one seed")
    array = np.asarray(values, dtype=np.float64)
    if len(array) == 1 or not np.isfinite(array).all():
        return None
    half_width = stdtrit(len(array) - 1, (1 + level) / 2) * array.std(ddof=1) / np.sqrt(len(array))
    return Interval(float(array.mean() - half_width), float(array.mean() + half_width), level, "seeds")


def bootstrap_images(
    runs: Sequence[Counts],
    *,
    metrics: Sequence[Metric],
    convention: Convention,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> dict[Metric, Interval | None]:
    """Return percentile intervals of mean scores of these runs over resampled images; the runs stay the same.

    Args:
        runs: Counts of the seeds of one method, all on the same images.
        metrics: Scores.
        convention: Convention of the scores.
        replicates: Number of times the images are drawn, with replacement, the same for all runs and scores.
        seed: Seed of the drawing.
        level: Level of the intervals.

    Returns:
        Interval by metric; None if the score is not defined, such as hIoU without unseen classes. Replicates in which
        a score is not defined (their images lack a whole group) are left out of its interval.

    Raises:
        ValueError: There are no runs or images, runs have different images, or a metric or the convention is unknown.
    """
    _check_request(runs, metrics=metrics, replicates=replicates, level=level)
    means = _average_scores(runs, metrics=metrics, convention=convention)
    defined = [metric for metric in metrics if not np.isnan(means[metric])]
    intervals: dict[Metric, Interval | None] = dict.fromkeys(metrics)
    if defined:
        weights = draw_weights(seed, len(runs[0].image_ids), replicates=replicates)
        drawn = resample_scores(runs, weights, metrics=defined, convention=convention)
        for metric, scores in drawn.items():
            intervals[metric] = _take_percentiles(scores.mean(axis=0), level=level, kind="images")
    return intervals


def bootstrap_differences(
    sides: Sequence[Sequence[Counts]],
    reference: Sequence[Counts],
    *,
    metric: Metric,
    convention: Convention,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> list[PairedDifference]:
    """Compare the mean score of each method with that of a reference, given the variation of images and seeds.

    Images are drawn with replacement, the same for all runs; so are seeds. If a side and the reference have equally
    many runs, their i-th runs are drawn together (give them in the order of their seeds), otherwise independently. If
    both have a single run, seeds cannot be drawn: the interval then covers images alone, and its kind says so.

    The p value inverts the percentile interval: twice the smaller of the fractions (r + 1) / (n + 1) of the n
    replicates at or below 0 and at or above 0, at most 1 (Davison and Hinkley 1997, sections 4.2.3 and 5.2); it is
    never below 2 / (n + 1).

    Args:
        sides: Counts of the runs of each method.
        reference: Counts of the runs of the method that is subtracted.
        metric: Score to compare.
        convention: Convention of the score.
        replicates: Number of times images and seeds are drawn.
        seed: Seed of the drawing.
        level: Level of the intervals.

    Raises:
        ValueError: There are no runs, runs have different images, classes or labels, the metric or convention is
            unknown, or the score is not defined.
    """
    resampler = PairedResampler(metric, convention, replicates, seed)
    return [_compare_sides(side, reference, resampler=resampler, level=level) for side in sides]


def adjust_holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust a family of p values (Holm 1979, step-down); their order is kept.

    Raises:
        ValueError: A p value is not between 0 and 1.
    """
    array = np.asarray(p_values, dtype=np.float64)
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"p values must be between 0 and 1, not {[p for p in p_values if not 0 <= p <= 1]}")
    order = np.argsort(array, kind="stable")
    adjusted = np.empty_like(array)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, array[order] * np.arange(len(array), 0, -1)))
    return tuple(adjusted.tolist())


def _compare_sides(
    a: Sequence[Counts], b: Sequence[Counts], *, resampler: PairedResampler, level: float
) -> PairedDifference:
    """Return the difference a - b, see `bootstrap_differences`."""
    runs, metric, convention = [*a, *b], resampler.metric, resampler.convention
    for name, side in (("a", a), ("b", b)):
        if not side:
            raise ValueError(f"{name} has no runs to compare: give at least one")
    _check_request(runs, metrics=[metric], replicates=resampler.replicates, level=level)
    mean_a, mean_b = (_average_scores(side, metrics=[metric], convention=convention)[metric] for side in (a, b))
    if np.isnan(mean_a - mean_b):
        raise ValueError(f"{metric} is not defined here (a: {mean_a}, b: {mean_b}): its classes do not occur")
    differences = resampler.draw_differences(a, b)
    defined = differences[~np.isnan(differences)]
    kind = "images" if len(runs) == 2 else "images and seeds"
    return PairedDifference(
        metric=metric,
        convention=convention,
        difference=mean_a - mean_b,
        interval=_take_percentiles(differences, level=level, kind=kind),
        p_value=_compute_p_value(defined),
        replicates=len(defined),
        images=len(runs[0].image_ids),
        seeds=(len(a), len(b)),
    )


def _take_percentiles(values: Floats, *, level: float, kind: str) -> Interval:
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, kind)


def _compute_p_value(differences: Floats) -> float:
    fewer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (fewer + 1) / (len(differences) + 1))


def _average_scores(
    runs: Sequence[Counts], *, metrics: Sequence[Metric], convention: Convention
) -> dict[Metric, float]:
    scores = [score(run, convention) for run in runs]
    return {metric: float(np.mean([getattr(run, metric) for run in scores])) for metric in metrics}


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a number between 0 and 1 such as 0.95")


def _check_request(runs: Sequence[Counts], *, metrics: Sequence[Metric], replicates: int, level: float) -> None:
    _check_level(level)
    for metric in metrics:
        if metric not in METRICS:
            raise ValueError(explain_unknown_name("metric", metric, METRICS))
    if replicates < 1:
        raise ValueError(f"replicates is {replicates}, expected at least 1")
    if not runs or not runs[0].image_ids:
        raise ValueError("there are no runs, or they have no images: give counts of at least one image")
    for run in runs[1:]:
        _check_pair(run, runs[0])


def _check_pair(run: Counts, first: Counts) -> None:
    """Check that two runs were evaluated on the same images, classes and labels."""
    if run.image_ids != first.image_ids:
        missing, extra = set(first.image_ids) - set(run.image_ids), set(run.image_ids) - set(first.image_ids)
        raise ValueError(
            f"runs were evaluated on different images: one lacks {len(missing)} of the first run's "
            f"{len(first.image_ids)} and has {len(extra)} others; evaluate both on the same images"
        )
    if (run.classes, run.seen) != (first.classes, first.seen):
        raise ValueError("runs differ in their classes or in which are seen: compare runs of one split")
    if not _is_equal(run.target, first.target):
        raise ValueError("runs have the same images with different labels: evaluate both on the same masks")


def _is_equal(a: Matrix, b: Matrix) -> bool:
    """Return whether two matrices of `Counts` are equal; equal matrices are stored as equal arrays."""
    return all(np.array_equal(getattr(a, part), getattr(b, part)) for part in ("indptr", "indices", "data"))
