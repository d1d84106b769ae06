"""Uncertainty of scores: intervals of means, and comparisons on the same images.

One rule makes every interval and every p value: the variance over seeds and over images, see `variation`, and Student's
t. A single run of a random method covers the images alone, which `Interval.kind` and `Interval.caution` say.

No convention rounds what a variance or a difference is made of. A difference is that of the unrounded scores, as is its
interval, so that under `mmseg` it can be 0.01 or 0.02 off the difference of the printed scores; the interval of a mean
has the printed mean in its center.

Random runs that differ although no score shows any variation, such as floor scores of 0 on both sides, tell nothing
about other runs: the difference is then as unknown as that of a score that rests on one image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.score_samples import are_equal, sample_difference, sample_scores
from benchmark.evaluation.scores import Convention, Metric
from benchmark.evaluation.sides import Pairing, Side, check_sides
from benchmark.evaluation.variation import (
    TINY,
    MeanVariance,
    compute_t_quantile,
    compute_upper_p,
    estimate_variance,
)

ONE_IMAGE = "rests on one image: variation over images is unknown"
NO_VARIATION = "no variation observed although the runs differ: nothing can be concluded"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low: Lower end, in the unit of the score.
        high: Upper end.
        level: Probability that such an interval contains the true value, 0 to 1.
        kind: Sources of the variation: "images" or "seeds and images".
        df: Degrees of freedom of Student's t.
        caution: Reason why the interval covers less than it seems or is unreliable; empty if there is none.
    """

    low: float
    high: float
    level: float
    kind: str
    df: float
    caution: str = ""


@dataclass(frozen=True)
class Difference:
    """Difference of the mean scores of two methods, a - b, on the same images.

    Attributes:
        metric: Score that is compared.
        convention: Convention of that score.
        difference: Mean of a minus that of b, in percentage points and of unrounded scores.
        interval: Interval of the difference.
        p_value: Two-sided, of no difference; not corrected for the number of comparisons (see `families`). It is below
            1 - level exactly when the interval excludes 0.
        standard_error: Standard error of the difference; infinite if the variation is unknown.
        images: Number of images that all runs were evaluated on.
        least_p: Least two-sided p value that an exact test with these runs could give; None if there is none.
    """

    metric: Metric
    convention: Convention
    difference: float
    interval: Interval
    p_value: float
    standard_error: float
    images: int
    least_p: float | None

    @property
    def df(self) -> float:
        """Degrees of freedom of the standard error."""
        return self.interval.df


@dataclass(frozen=True)
class PairedDifference(Difference):
    """Difference on one split: means over the seeds, over the shared ones if `pairing` is "shared seeds".

    The exact test of `least_p` flips the signs of pairs, or permutes unpaired runs.

    Attributes:
        seeds: Numbers of runs of a and of b that took part.
        pairing: Seeds that are compared pair by pair: all, the shared ones, or none.
    """

    seeds: tuple[int, int]
    pairing: Pairing


def estimate_means(
    side: Side,
    *,
    metrics: Sequence[Metric],
    convention: Convention,
    level: float = 0.95,
    jackknife: ImageJackknife | None = None,
) -> dict[Metric, Interval | None]:
    """Return intervals of the mean scores of a method over its seeds and the images.

    Args:
        side: Runs of the method.
        metrics: Scores.
        convention: Convention of the scores.
        level: Level of the intervals.
        jackknife: Scores without each image, if other intervals of the same runs share them.

    Returns:
        Interval by metric; None if the score is not defined, such as hIoU without unseen classes, or not without one of
        the images.

    Raises:
        ValueError: There are no runs or images, runs have different images, or a metric or the convention is unknown.
    """
    check_sides([side], metrics=metrics, level=level)
    jackknife = jackknife or ImageJackknife(tuple(metrics))
    intervals: dict[Metric, Interval | None] = dict.fromkeys(metrics)
    for metric in metrics:
        sample = sample_scores(side, metric=metric, convention=convention, jackknife=jackknife)
        variance = estimate_variance([sample])
        if math.isfinite(variance.standard_error):
            printed = [
                jackknife.compute_printed_score(run, metric=metric, convention=convention) for run in side.counts
            ]
            interval = make_interval(fmean(printed), variance, level=level)
            intervals[metric] = replace(interval, caution=_warn_of_mean(side, variance))
    return intervals


def compare_sides(
    sides: Sequence[Side],
    reference: Side,
    *,
    metric: Metric,
    convention: Convention,
    level: float = 0.95,
    jackknife: ImageJackknife | None = None,
) -> list[PairedDifference]:
    """Compare the mean score of each method with that of a reference, given the variation of seeds and images.

    Images are always paired: each is left out of all runs together. Seeds are paired if both sides have them, see
    `sides.find_pairing`: the variance over seeds is then that of the differences, otherwise the sum of both sides'
    variances (Welch 1947). A single run has no variance over seeds: against several runs, theirs is taken for it too;
    against another single run, the interval covers the images alone. A deterministic method has none to estimate.

    Args:
        sides: Runs of each method.
        reference: Runs of the method that is subtracted.
        metric: Score to compare.
        convention: Convention of the score.
        level: Level of the intervals.
        jackknife: Scores without each image, if other intervals of the same runs share them.

    Returns:
        Difference of each side. The variation is unknown if the score is not defined without one of the images, or if
        neither side shows any although runs are random and differ: the interval is then all that differences can be,
        and p is 1.

    Raises:
        ValueError: A side has no runs, runs have different images, classes or labels, the metric or convention is
            unknown, or the score is not defined.
    """
    check_sides([reference, *sides], metrics=[metric], level=level)
    jackknife = jackknife or ImageJackknife((metric,))
    request = _Request(metric, convention, level, jackknife)
    return [_compare(side, reference, request=request) for side in sides]


@dataclass(frozen=True)
class _Request:
    metric: Metric
    convention: Convention
    level: float
    jackknife: ImageJackknife


def _compare(a: Side, b: Side, *, request: _Request) -> PairedDifference:
    """Return the difference a - b, see `compare_sides`."""
    sample = sample_difference(a, b, metric=request.metric, convention=request.convention, jackknife=request.jackknife)
    caution = _warn_of_difference(a, b, pairing=sample.pairing, shared=len(sample.sides[0].runs))
    (a, b), (mean_a, mean_b) = sample.sides, sample.means
    if math.isnan(mean_a - mean_b):
        raise ValueError(f"{request.metric} is not defined here (a: {mean_a}, b: {mean_b}): its classes do not occur")
    difference = mean_a - mean_b if abs(mean_a - mean_b) >= TINY else 0.0
    variance = estimate_variance(sample.samples)
    if variance.standard_error == 0 and not sample.is_known:
        variance, caution = variance._replace(standard_error=math.inf), join_cautions(caution, NO_VARIATION)
    elif math.isinf(variance.standard_error):
        caution = join_cautions(caution, ONE_IMAGE)
    interval = make_interval(difference, variance, level=request.level)
    upper = compute_upper_p(abs(difference), standard_error=variance.standard_error, df=variance.df)
    return PairedDifference(
        metric=request.metric,
        convention=request.convention,
        difference=difference,
        interval=replace(interval, caution=caution),
        p_value=2 * upper,
        standard_error=variance.standard_error,
        images=len(b.counts[0].image_ids),
        seeds=(len(a.runs), len(b.runs)),
        pairing=sample.pairing,
        least_p=compute_least_p(a, b, pairing=sample.pairing) if variance.has_seeds else None,
    )


def compute_least_p(a: Side, b: Side, *, pairing: Pairing) -> float:
    """Return the least two-sided p value that an exact test over the seeds of two sides could give.

    Pairs allow 2^n flips of signs, and so do n runs against a deterministic method; unpaired runs allow as many
    permutations as there are choices of a's runs among all. Half of them mirror the other half if both sides have
    equally many runs (Ernst 2004, Statistical Science 19, 676-685).
    """
    na, nb = len(a.runs), len(b.runs)
    if pairing != "none":
        return float(2.0 ** (1 - na))
    if a.is_deterministic or b.is_deterministic:
        return float(2.0 ** (1 - (nb if a.is_deterministic else na)))
    return (2 if na == nb else 1) / math.comb(na + nb, na)


def join_cautions(*cautions: str) -> str:
    """Return the cautions that are not empty as one."""
    return "; ".join(caution for caution in cautions if caution)


def make_interval(mean: float, variance: MeanVariance, *, level: float) -> Interval:
    """Return the interval of a mean, all that scores and differences can be if the variance is unknown."""
    kind = "seeds and images" if variance.has_seeds else "images"
    if math.isinf(variance.standard_error):
        return Interval(-100.0, 100.0, level, kind, variance.df)
    half_width = compute_t_quantile(variance.df, level) * variance.standard_error
    return Interval(mean - half_width, mean + half_width, level, kind, variance.df)


def _warn_of_mean(side: Side, variance: MeanVariance) -> str:
    """Return the caution of the interval of a mean over seeds and images."""
    if side.is_deterministic:
        return ""
    none = "no variation observed: nothing can be concluded" if variance.standard_error == 0 else ""
    if len(side.runs) == 1:
        return join_cautions("one run: variation over seeds is not covered", none)
    few = "two seeds: unreliable" if len(side.runs) == 2 else ""
    same = "all runs have the same counts: the seed seems to change nothing" if are_equal(side.counts) else ""
    return join_cautions(few, same, none)


def _warn_of_difference(a: Side, b: Side, *, pairing: Pairing, shared: int) -> str:
    """Return the caution of the interval of a difference, from the numbers of runs."""
    na, nb = len(a.runs), len(b.runs)
    few = "two seeds: unreliable"
    if pairing != "none":
        part = f"over the {spell_number(shared)} shared seeds of {spell_number(na)} and {spell_number(nb)} runs"
        return join_cautions(part if pairing == "shared seeds" else "", few if shared == 2 else "")
    random = [len(side.runs) for side in (a, b) if not side.is_deterministic]
    if random and max(random) == 1:
        return f"one run{' a side' if len(random) == 2 else ''}: variation over seeds is not covered"
    single = ""
    if 1 in random:
        single = (
            f"one run against {spell_number(max(random))}: the variation over seeds of the single run is taken from "
            "the other side"
        )
    return join_cautions(single, few if 2 in random else "")


def spell_number(number: int) -> str:
    """Return a number below ten in words."""
    return NUMBERS[number] if number < len(NUMBERS) else str(number)
