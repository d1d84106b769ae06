"""Ranks of methods by a score, with the ranks that the variation of seeds and images allows.

The naive bootstrap of a rank does not cover it if scores are near each other. Ranks are therefore found as Mogstad,
Romano, Shaikh and Wilhelm (2024, Review of Economic Studies 91, 476-518) do: all differences of a method to the others
get intervals that hold together with the given probability, and the method can rank from 1 + the number of methods that
are better for certain to the number of methods less those that are worse for certain. The interval of a rank covers the
true rank of its method with at least that probability; it does not cover the ranks of all methods at once.

The joint distribution of the scores is drawn with multipliers: each image and each seed gets a normal number, the same
for all methods. A method's deviations are its jackknife deviations times those of the images, and its deviations over
seeds times those of the seeds, widened to Student's t. Drawings use the raw stream of PCG64, which numpy promises to
keep, and not its distributions, which may change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.score_samples import sample_scores
from benchmark.evaluation.scores import Convention, Floats, Metric
from benchmark.evaluation.sides import Side, check_sides
from benchmark.evaluation.variation import TINY, ScoreSample, estimate_seed_variance

Booleans: TypeAlias = NDArray[np.bool_]

REPLICATES, FEWEST_REPLICATES = 2000, 500
"""Drawings of the scores, and the fewest for tables of hundreds of methods, whose pairs are many."""
PAIR_REPLICATES = 2 * 10**8
"""Drawn differences of pairs up to which there are more than the fewest drawings."""
CHUNK_IMAGES = 2**22
"""Normal numbers held at once, 32 MiB."""


class RowRank(NamedTuple):
    """Rank of a method, 1 for the highest score.

    Attributes:
        rank: One more than the number of methods with a higher score.
        low: Best rank that the variation allows.
        high: Worst rank that the variation allows.
        is_tied: Whether another method has the same score.
    """

    rank: int
    low: int
    high: int
    is_tied: bool


@dataclass(frozen=True, eq=False)
class SeedDeviations:
    """Deviations of a mean score over seeds.

    Attributes:
        seeds: Seeds whose normal numbers are used; negative for a number of its own.
        deviations: (seeds,) standard deviation that each normal number stands for.
        df: Degrees of freedom of Student's t.
    """

    seeds: tuple[int, ...]
    deviations: Floats
    df: int


def estimate_ranks(
    sides: Sequence[Side],
    *,
    metric: Metric,
    convention: Convention,
    level: float = 0.95,
    jackknife: ImageJackknife | None = None,
) -> list[RowRank]:
    """Return the rank of each method with its interval.

    A single run of a random method gets the mean variance over seeds of the methods that have several; if none has,
    ranks cover the images alone. If a score is not defined without one of the images, every rank is possible. Two
    methods of which neither shows any variation are distinguished only if both are deterministic.

    Args:
        sides: Runs of each method.
        metric: Score.
        convention: Convention of the score.
        level: Probability that an interval covers the rank of its method.
        jackknife: Scores without each image, if other intervals of the same runs share them.

    Raises:
        ValueError: A side has no runs, runs have different images, classes or labels, the metric or convention is
            unknown, or a score is not defined.
    """
    if not sides:
        return []
    check_sides(sides, metrics=[metric], level=level)
    jackknife = jackknife or ImageJackknife((metric,))
    samples = [sample_scores(side, metric=metric, convention=convention, jackknife=jackknife) for side in sides]
    means = np.array([sample.values.mean() for sample in samples])
    if np.isnan(means).any():
        raise ValueError(
            f"{metric} is not defined for {int(np.isnan(means).sum())} of {len(sides)} rows: leave them out"
        )
    if any(np.isnan(sample.left_out).any() for sample in samples):
        return [_make_rank(means, index, is_separate=np.zeros(len(means), dtype=bool)) for index in range(len(means))]
    drawn = _draw_deviations(samples, [side.seeds for side in sides])
    known = _find_known_pairs(samples)
    separate = (known[index] & _find_separate(means, drawn, index, level=level) for index in range(len(means)))
    return [_make_rank(means, index, is_separate=is_separate) for index, is_separate in enumerate(separate)]


def _find_known_pairs(samples: Sequence[ScoreSample]) -> Booleans:
    """Return the (methods, methods) pairs that show a variation, or have none as both are deterministic."""
    varies = np.array([sample.has_variation for sample in samples])
    is_fixed = np.array([sample.is_deterministic for sample in samples])
    pairs: Booleans = np.logical_or.outer(varies, varies) | np.logical_and.outer(is_fixed, is_fixed)
    return pairs


def _make_rank(means: Floats, index: int, *, is_separate: Booleans) -> RowRank:
    above, below = means > means[index] + TINY, means < means[index] - TINY
    is_tied = int((~above & ~below).sum()) > 1
    low, high = 1 + (above & is_separate).sum(), len(means) - (below & is_separate).sum()
    return RowRank(1 + int(above.sum()), int(low), int(high), is_tied)


def _find_separate(means: Floats, drawn: Floats, index: int, *, level: float) -> Booleans:
    """Return which methods differ from one for certain, all at once with the probability of the level."""
    deviations = drawn - drawn[index]  # (methods, replicates)
    np.abs(deviations, out=deviations)
    scales = deviations.mean(axis=1)
    scales[scales < TINY] = 0.0
    critical = np.zeros(len(means))
    if scales.any():
        deviations *= np.divide(1.0, scales, out=np.zeros_like(scales), where=scales > 0)[:, None]
        critical = np.quantile(deviations.max(axis=0), level) * scales
    is_separate: Booleans = np.abs(means - means[index]) > np.maximum(critical, TINY)
    return is_separate


def _draw_deviations(samples: Sequence[ScoreSample], seeds: Sequence[tuple[int, ...]]) -> Floats:
    """Return drawn deviations of the mean scores, (methods, replicates)."""
    from scipy.special import chdtri

    replicates = int(np.clip(PAIR_REPLICATES // len(samples) ** 2, FEWEST_REPLICATES, REPLICATES))
    bits = np.random.PCG64(0)
    uniform = _draw_uniform(bits, replicates)
    parts = _list_seed_deviations(samples, seeds)
    numbers = {seed: _draw_normal(bits, (replicates,)) for seed in sorted({s for part in parts for s in part.seeds})}
    deviations = _draw_image_deviations(bits, samples, replicates=replicates)

    # Deviations over the seeds, widened by the same quantile of chi-squared for all methods
    for row, part in zip(deviations, parts, strict=True):
        if part.seeds:
            widening = np.sqrt(part.df / chdtri(part.df, uniform))
            row += widening * sum(size * numbers[seed] for size, seed in zip(part.deviations, part.seeds, strict=True))
    return deviations


def _draw_image_deviations(bits: np.random.PCG64, samples: Sequence[ScoreSample], *, replicates: int) -> Floats:
    """Return the jackknife deviations of the mean scores times normal numbers, (methods, replicates)."""
    left_out = np.stack([sample.left_out.mean(axis=0) for sample in samples])  # (methods, N)
    images = left_out.shape[1]
    centered = (left_out - left_out.mean(axis=1, keepdims=True)) * np.sqrt((images - 1) / images)
    chunk = max(1, CHUNK_IMAGES // images)
    starts = range(0, replicates, chunk)
    drawn = [centered @ _draw_normal(bits, (images, min(chunk, replicates - start))) for start in starts]
    deviations: Floats = np.concatenate(drawn, axis=1)
    return deviations


def _list_seed_deviations(samples: Sequence[ScoreSample], seeds: Sequence[tuple[int, ...]]) -> list[SeedDeviations]:
    """Return the deviations over seeds of each method; none for deterministic ones."""
    known = [_estimate_seed_deviations(sample, own) for sample, own in zip(samples, seeds, strict=True)]
    several = [part for part in known if part is not None]
    squares = [len(part.seeds) * float((part.deviations**2).sum()) for part in several]
    single = float(np.sqrt(np.mean(squares))) if squares else 0.0
    df = min((part.df for part in several), default=1)
    borrowed = [
        SeedDeviations((-1 - index,), np.array([single]), df)
        if single and not sample.is_deterministic
        else SeedDeviations((), np.zeros(0), df)
        for index, sample in enumerate(samples)
    ]
    return [part or other for part, other in zip(known, borrowed, strict=True)]


def _estimate_seed_deviations(sample: ScoreSample, seeds: tuple[int, ...]) -> SeedDeviations | None:
    """Return the deviations over the seeds of several runs, without the interaction that images have already."""
    if not sample.is_random:
        return None
    n, part = len(sample.values), estimate_seed_variance(sample)
    share = max(0.0, 1 - part.interaction / part.variance) if part.variance > 0 else 0.0
    deviations = (sample.values - sample.values.mean()) * np.sqrt(share / (n * (n - 1)))
    return SeedDeviations(seeds, deviations, n - 1)


def _draw_normal(bits: np.random.PCG64, shape: tuple[int, ...]) -> Floats:
    from scipy.special import ndtri

    return np.asarray(ndtri(_draw_uniform(bits, int(np.prod(shape)))), dtype=np.float64).reshape(shape)


def _draw_uniform(bits: np.random.PCG64, count: int) -> Floats:
    """Return numbers strictly between 0 and 1."""
    raw = np.asarray(bits.random_raw(count), dtype=np.uint64)
    return ((raw >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
