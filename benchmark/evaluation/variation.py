"""Variance of mean scores and of their differences over seeds and images, and Student's t with its degrees of freedom.

A score of a run is, to first order, a constant plus an effect of the seed, an effect of the drawn images, and an
interaction of the two (Searle, Casella and McCulloch 1992, chapter 4: two-way crossed random effects). With n seeds and
N images the variance of the mean over the runs is

    seed / n + images + interaction / n.

The sample variance over the seeds holds the seed and the interaction, the bootstrap variance over the images of the
mean of the runs holds the images and the interaction. Their sum counts the interaction twice; its estimate, the
bootstrap variance of what distinguishes the runs, is taken off once. The degrees of freedom of the sum are those of
Satterthwaite (1946, Biometrics Bulletin 2, 110-114) with n - 1 for the seeds and N - 1 for the images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from benchmark.evaluation.scores import Floats

TINY = 1e-9
"""Standard errors and differences below this, in percentage points, are rounding errors of equal scores."""


class SeedVariance(NamedTuple):
    """Variance over seeds of a mean of n runs.

    Attributes:
        variance: Variance of the mean over the seeds, interaction included.
        interaction: Part of that variance which the variance over images holds too.
        df: Degrees of freedom.
    """

    variance: float
    interaction: float
    df: int


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores of runs, or differences of paired runs.

    Attributes:
        values: (n,) score of each run.
        drawn: (n, B) score of each run on each of B drawings of the images; nan if not defined there.
        is_deterministic: Whether the seed cannot change the score.
    """

    values: Floats
    drawn: Floats
    is_deterministic: bool = False

    @property
    def is_random(self) -> bool:
        """Whether the runs show a variation over seeds: several runs of a method that is not deterministic."""
        return not self.is_deterministic and len(self.values) > 1


class MeanVariance(NamedTuple):
    """Variance of a mean or of a difference of means.

    Attributes:
        standard_error: Square root of the variance; 0 for a rounding error.
        df: Degrees of freedom of the variance.
        has_seeds: Whether the variance covers the seeds.
    """

    standard_error: float
    df: float
    has_seeds: bool


def estimate_variance(samples: Sequence[Sample], *, images: int) -> MeanVariance:
    """Return the variance of the mean of one sample, or of the difference of the means of two.

    Args:
        samples: One sample (of runs, or of the differences of paired runs), or two independent ones. If one of the two
            is a single run of a method that is not deterministic, its variance over seeds is that of the other.
        images: Number N of images, at least 2.
    """
    seeds = _list_seed_variances(samples, images=images)
    means = [sample.drawn.mean(axis=0) for sample in samples]
    drawn = means[0] - means[1] if len(means) == 2 else means[0]
    interaction = sum(part.interaction for part in seeds)
    image_variance = max(_compute_variance(drawn, images=images) - interaction, 0.0)
    variance = sum(part.variance for part in seeds) + image_variance
    spread = sum(part.variance**2 / part.df for part in seeds) + image_variance**2 / (images - 1)
    standard_error = math.sqrt(variance)
    if standard_error < TINY:
        return MeanVariance(0.0, float(images - 1), bool(seeds))
    return MeanVariance(standard_error, variance**2 / spread, bool(seeds))


def estimate_seed_variance(sample: Sample, *, images: int) -> SeedVariance:
    """Return the variance over seeds of the mean of several runs."""
    n = len(sample.values)
    deviations = sample.drawn - sample.drawn.mean(axis=0)
    interaction = sum(_compute_variance(row, images=images) for row in deviations) / (n * (n - 1))
    return SeedVariance(float(sample.values.var(ddof=1)) / n, interaction, n - 1)


def compute_t_quantile(df: float, level: float) -> float:
    """Return the half width of the two-sided interval of Student's t, in standard errors."""
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + level) / 2))


def compute_upper_p(value: float, *, standard_error: float, df: float) -> float:
    """Return the one-sided p value of a value above 0; without a standard error 0, 1/2 or 1 by the sign."""
    from scipy.special import stdtr

    if standard_error == 0.0:
        return 0.5 - 0.5 * float(np.sign(value))
    return float(stdtr(df, -value / standard_error))


def _list_seed_variances(samples: Sequence[Sample], *, images: int) -> list[SeedVariance]:
    """Return the variances over seeds of the samples; empty if no sample shows any."""
    parts = [estimate_seed_variance(sample, images=images) for sample in samples if sample.is_random]
    is_single = [not sample.is_deterministic and len(sample.values) == 1 for sample in samples]
    if parts and any(is_single):
        (part,), n = parts, max(len(sample.values) for sample in samples)
        return [SeedVariance(part.variance * (n + 1), part.interaction * (n + 1), part.df)]
    return parts


def _compute_variance(drawn: Floats, *, images: int) -> float:
    """Return the bootstrap variance over the images, without the bias of drawing from N images themselves."""
    defined = drawn[~np.isnan(drawn)]
    return float(defined.var()) * images / (images - 1) if len(defined) else 0.0
