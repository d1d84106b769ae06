"""How far a number is to be trusted: intervals over seeds, intervals over images, and paired comparisons.

Seeds and images are different sources of doubt, and an interval says in `kind` which of them it covers. Resampling
draws the raw 64-bit stream of PCG64, which numpy promises to keep, and not its distributions, which may change: so the
same counts give the same interval on every machine and version. Resampled counts are summed in float64, where whole
numbers stay exact up to 2^53.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import METRICS, Convention, Floats, Metric, score, summary
from benchmark.utils.did_you_mean import unknown_name

REPLICATES = 2000
CHUNK = 64
"""Replicates summed at once: their (K, CHUNK) totals should fit the processor's cache."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low: its lower end, in the unit of the score.
        high: its upper end.
        level: how often such an interval holds the true value, 0 to 1.
        kind: what varies: "seeds", "images" or "images and seeds".
    """

    low: float
    high: float
    level: float
    kind: str


@dataclass(frozen=True)
class Paired:
    """Method a against method b on the same images.

    Attributes:
        metric: which score is compared.
        convention: how it is counted.
        difference: mean over the seeds of a minus that of b, in percentage points.
        interval: of the difference.
        p_value: two-sided, of there being no difference; not corrected for the number of comparisons (see `holm`).
        replicates: how many resamplings the interval and the p value rest on.
        images: how many images both were evaluated on.
        seeds: how many runs a and b have.
    """

    metric: Metric
    convention: Convention
    difference: float
    interval: Interval
    p_value: float
    replicates: int
    images: int
    seeds: tuple[int, int]


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """Student's interval of the mean over seeds.

    With three seeds it reaches 2.5 standard deviations to each side.

    Returns:
        None where no interval exists: a single value, or one that is not finite.

    Raises:
        ValueError: no values, or a level outside 0 … 1.
    """
    from scipy.special import stdtrit

    _check_level(level)
    if not len(values):
        raise ValueError("there are no values to give an interval for: give the score of at least one seed")
    array = np.asarray(values, dtype=np.float64)
    if len(array) == 1 or not np.isfinite(array).all():
        return None
    reach = stdtrit(len(array) - 1, (1 + level) / 2) * array.std(ddof=1) / np.sqrt(len(array))
    return Interval(float(array.mean() - reach), float(array.mean() + reach), level, "seeds")


def image_bootstrap(
    runs: Sequence[Counts],
    *,
    metric: Metric,
    convention: Convention,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval | None:
    """Percentile interval of a score's mean over these runs, had other images been drawn; the runs stay the same.

    Args:
        runs: the seeds of one method, all on the same images.
        metric: which score.
        convention: how it is counted.
        replicates: how often the images are drawn anew, with replacement, the same for all runs.
        seed: of the drawing.
        level: of the interval.

    Returns:
        None where the score is not defined, such as hIoU without unseen classes. Replicates in which it is not
        defined (their images lack a whole group) are left out.

    Raises:
        ValueError: no runs or images, runs on different images, an unknown metric or convention.
    """
    _check_request(runs, metric=metric, replicates=replicates, level=level)
    if np.isnan(_mean_score(runs, metric=metric, convention=convention)):
        return None
    bits = np.random.PCG64(seed)
    drawn = _resampled(runs, bits, metric=metric, convention=convention, replicates=replicates)
    return _percentiles(drawn.mean(axis=0), level=level, kind="images")


def paired_bootstrap(
    a: Sequence[Counts],
    b: Sequence[Counts],
    *,
    metric: Metric,
    convention: Convention,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> Paired:
    """Compare two methods: is the difference of their mean scores more than the luck of images and seeds?

    Images are drawn with replacement, the same for all runs; so are seeds. Where a and b have equally many runs, the
    i-th of a and the i-th of b are drawn together (give them in the order of their seeds), else independently. A
    single run on each side cannot be drawn anew: the interval is then over images alone, and says so.

    The p value inverts the percentile interval: twice the smaller of the fractions (r + 1) / (n + 1) of the n
    replicates at or below 0 and at or above 0, at most 1 (Davison and Hinkley 1997, sections 4.2.3 and 5.2); it is
    never below 2 / (n + 1).

    Args:
        a: runs of the first method.
        b: runs of the second.
        metric: which score.
        convention: how it is counted.
        replicates: how often images and seeds are drawn anew.
        seed: of the drawing.
        level: of the interval.

    Raises:
        ValueError: no runs, runs on different images, classes or labels, an unknown metric or convention, or a score
            that is not defined.
    """
    runs = [*a, *b]
    for name, side in (("a", a), ("b", b)):
        if not side:
            raise ValueError(f"{name} has no runs to compare: give at least one")
    _check_request(runs, metric=metric, replicates=replicates, level=level)
    ours, theirs = (_mean_score(side, metric=metric, convention=convention) for side in (a, b))
    if np.isnan(ours - theirs):
        raise ValueError(f"{metric} is not defined here (a: {ours}, b: {theirs}): its classes do not occur")
    bits = np.random.PCG64(seed)
    picks_a = _integers(bits, len(a), shape=(replicates, len(a)))
    picks_b = picks_a if len(a) == len(b) else _integers(bits, len(b), shape=(replicates, len(b)))
    drawn = _resampled(runs, bits, metric=metric, convention=convention, replicates=replicates)
    differences = _picked_mean(drawn[: len(a)], picks_a) - _picked_mean(drawn[len(a) :], picks_b)
    defined = differences[~np.isnan(differences)]
    kind = "images" if len(runs) == 2 else "images and seeds"
    return Paired(
        metric=metric,
        convention=convention,
        difference=ours - theirs,
        interval=_percentiles(differences, level=level, kind=kind),
        p_value=_two_sided(defined),
        replicates=len(defined),
        images=len(runs[0].image_ids),
        seeds=(len(a), len(b)),
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p values adjusted for being a family, in the given order (Holm 1979, step-down).

    Raises:
        ValueError: one is not between 0 and 1.
    """
    array = np.asarray(p_values, dtype=np.float64)
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"p values lie between 0 and 1, not {[p for p in p_values if not 0 <= p <= 1]}")
    order = np.argsort(array, kind="stable")
    adjusted = np.empty_like(array)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, array[order] * np.arange(len(array), 0, -1)))
    return tuple(adjusted.tolist())


def _resampled(
    runs: Sequence[Counts], bits: np.random.PCG64, *, metric: Metric, convention: Convention, replicates: int
) -> Floats:
    """(runs, replicates) the score of every run on every drawing of the images."""
    images, classes, seen = len(runs[0].image_ids), len(runs[0].classes), runs[0].seen
    counted = [matrix for run in runs for matrix in (run.intersection, run.prediction)]
    # side by side: one product a chunk costs a fraction of one for every run and count
    columns: Any = sparse.hstack([runs[0].truth, *counted], format="csr").astype(np.float64).T
    drawn = np.empty((len(runs), replicates))
    for start in range(0, replicates, CHUNK):
        count = min(CHUNK, replicates - start)
        sums: Floats = (columns @ _weights(bits, images, count=count)).T
        sums = sums.reshape(count, -1, classes)
        true, right, predicted = sums[:, :1], sums[:, 1::2], sums[:, 2::2]
        drawn[:, start : start + count] = summary(right, predicted, true, seen=seen, convention=convention)[metric].T
    return drawn


def _weights(bits: np.random.PCG64, images: int, *, count: int) -> Floats:
    """(images, count) how often each image was drawn in each of `count` drawings of `images` images."""
    places = _integers(bits, images, shape=(count, images)) * count + np.arange(count)[:, None]
    return np.bincount(places.ravel(), minlength=images * count).reshape(images, count).astype(np.float64)


def _integers(bits: np.random.PCG64, high: int, *, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Integers in [0, high); the remainder of 64 bits, whose bias is below high / 2^64."""
    raw = np.asarray(bits.random_raw(shape[0] * shape[1]), dtype=np.uint64)
    return (raw % np.uint64(high)).astype(np.int64).reshape(shape)


def _picked_mean(drawn: Floats, picks: NDArray[np.int64]) -> Floats:
    """(replicates,) mean over the runs that were picked; `drawn` is (runs, replicates), `picks` its transpose."""
    means: Floats = np.take_along_axis(drawn.T, picks, axis=1).mean(axis=1)
    return means


def _percentiles(values: Floats, *, level: float, kind: str) -> Interval:
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, kind)


def _two_sided(differences: Floats) -> float:
    fewer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (fewer + 1) / (len(differences) + 1))


def _mean_score(runs: Sequence[Counts], *, metric: Metric, convention: Convention) -> float:
    return float(np.mean([getattr(score(run, convention), metric) for run in runs]))


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a number between 0 and 1 such as 0.95")


def _check_request(runs: Sequence[Counts], *, metric: Metric, replicates: int, level: float) -> None:
    _check_level(level)
    if metric not in METRICS:
        raise ValueError(unknown_name("metric", metric, METRICS))
    if replicates < 1:
        raise ValueError(f"replicates is {replicates}, expected at least 1")
    if not runs or not runs[0].image_ids:
        raise ValueError("there are no runs, or they have no images: give counts of at least one image")
    first = runs[0]
    for run in runs[1:]:
        missing, extra = set(first.image_ids) - set(run.image_ids), set(run.image_ids) - set(first.image_ids)
        if missing or extra:
            raise ValueError(
                f"runs were evaluated on different images: one lacks {len(missing)} of the first run's "
                f"{len(first.image_ids)} and has {len(extra)} others; evaluate both on the same images"
            )
        if (run.classes, run.seen) != (first.classes, first.seen):
            raise ValueError("runs differ in their classes or in which are seen: compare runs of one split")
        if abs(run.truth - first.truth).sum():
            raise ValueError("runs have the same images with different labels: evaluate both on the same masks")
