"""Variance components of a difference over splits: what the choice of unseen classes, seeds and images each explain.

The difference of two runs on one split is, to first order, the mean over splits plus an effect of the split, an effect
of the seed on that split, and an effect of the images. Its variance is the sum of the three variances, each estimated
by the method of moments (Searle, Casella and McCulloch 1992, chapter 4): the sample variance of the differences by
split holds the splits, the seeds divided by their number, and what the images change from split to split; the latter
two are known from the seeds within a split and from the jackknife, and are taken off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from benchmark.evaluation.score_samples import DifferenceSample
from benchmark.evaluation.variation import ScoreSample, estimate_seed_variance, jackknife_variance

MANY = 1e6
"""Degrees of freedom of a noise that is as good as known."""


@dataclass(frozen=True)
class VarianceComponents:
    """Variances of the difference of two runs on one split, in squared percentage points; none is negative.

    Attributes:
        splits: Variance of the true differences between splits, noise removed; None if `seeds` is.
        seeds: Variance over seeds on one split; None if it is unknown because no split has several runs.
        images: Variance over images on one split.
        share_interval: 95 % interval of `split_share`; None if `seeds` is, and if no share agrees with the
            differences, because they vary less between splits than seeds and images alone would make them.
    """

    splits: float | None
    seeds: float | None
    images: float
    share_interval: tuple[float, float] | None

    @property
    def split_sd(self) -> float | None:
        """Standard deviation of the true differences between splits, in percentage points."""
        return None if self.splits is None else math.sqrt(self.splits)

    @property
    def split_share(self) -> float | None:
        """Share of the variance of a difference of two runs on one split that the choice of classes explains, 0 to 1.

        None if the variance over seeds is unknown, nan if nothing varies.
        """
        return None if self.splits is None else _share(self.splits, (self.seeds or 0.0) + self.images)


class _SeedNoise(NamedTuple):
    """Variance over seeds of the difference on a split, without its interaction with the images.

    Attributes:
        single: Variance of the difference of two runs.
        mean: Variance of the difference of the means over runs.
        df: Degrees of freedom; 0 if both sides are deterministic.
    """

    single: float
    mean: float
    df: int


def estimate_components(samples: Sequence[DifferenceSample]) -> VarianceComponents:
    """Return the variance components of a difference.

    Splits with a single run take their variance over seeds from the splits with several.

    Args:
        samples: Scores on each of two or more splits, all defined.
    """
    between = pool_samples(samples)
    part, splits = estimate_seed_variance(between), len(samples)
    noises = [_measure_seed_noise(sample) for sample in samples]
    known = [noise for noise in noises if noise is not None]
    images = max(0.0, float(np.mean([_measure_image_variance(sample) for sample in samples])))
    if not known:
        return VarianceComponents(None, None, images, None)
    df = sum(noise.df for noise in known)
    single = sum(noise.single * noise.df for noise in known) / df if df else 0.0
    means = float(np.mean([single if noise is None else noise.mean for noise in noises]))
    total, interaction = splits * part.variance, splits * part.interaction
    seeds = max(0.0, single)
    return VarianceComponents(
        splits=max(0.0, total - means - interaction),
        seeds=seeds,
        images=images,
        share_interval=_bound_share(
            total,
            [(max(0.0, means), df), (interaction, (splits - 1) * (between.left_out.shape[1] - 1))],
            df=splits - 1,
            rest=seeds + images,
        ),
    )


def pool_samples(samples: Sequence[DifferenceSample]) -> ScoreSample:
    """Return the differences of splits as the values of one sample, with splits in the place of runs."""
    values = np.array([sample.means[0] - sample.means[1] for sample in samples])
    return ScoreSample(values, np.stack([sample.left_out for sample in samples]))


def _measure_seed_noise(sample: DifferenceSample) -> _SeedNoise | None:
    """Return the variance over seeds on a split; None if it is unknown because runs of random methods are single."""
    random = [side for side in sample.samples if not side.is_deterministic]
    sizes = [len(side.values) for side in random]
    variances = [_estimate_run_variance(side) for side in random if side.is_random]
    if random and not variances:
        return None
    # A single run against several has the variance of theirs
    filled = [_estimate_run_variance(side) if side.is_random else variances[0] for side in random]
    means = sum(variance / size for variance, size in zip(filled, sizes, strict=True))
    return _SeedNoise(sum(filled), means, sum(size - 1 for size in sizes))


def _estimate_run_variance(sample: ScoreSample) -> float:
    part = estimate_seed_variance(sample)
    return len(sample.values) * (part.variance - part.interaction)


def _measure_image_variance(sample: DifferenceSample) -> float:
    """Return the variance over images of the difference of two runs on a split."""
    parts = [(len(side.values), estimate_seed_variance(side)) for side in sample.samples if len(side.values) > 1]
    interaction = sum((size - 1) * part.interaction for size, part in parts)
    return jackknife_variance(sample.left_out) + interaction


def _bound_share(
    total: float, noise: Sequence[tuple[float, int]], *, df: int, rest: float
) -> tuple[float, float] | None:
    """Return the 95 % interval of the share of the splits; None if it holds no share from 0 on.

    The ratio of the variance between splits to the noise in it follows F if the effects are normal (Thomas and
    Hultquist 1978, Annals of Statistics 6, 582-587); the rest of the variance is taken as known.

    Args:
        total: Sample variance of the differences by split.
        noise: Variances in it that are no effect of the splits, each with its degrees of freedom.
        df: Degrees of freedom of the sample variance.
        rest: Variance of a difference of two runs that is not that of the splits.
    """
    from scipy.special import fdtri

    level = sum(variance for variance, _ in noise)
    spread = sum(variance**2 / own for variance, own in noise if variance > 0)
    noise_df = max(1.0, level**2 / spread) if spread else MANY
    low, high = (total / float(fdtri(df, noise_df, p)) - level for p in (0.975, 0.025))
    return (_share(max(0.0, low), rest), _share(high, rest)) if high >= 0 else None


def _share(part: float, rest: float) -> float:
    return part / (part + rest) if part + rest > 0 else math.nan
