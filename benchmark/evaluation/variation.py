"""Variance of mean scores and of their differences over seeds and images, and Student's t with its degrees of freedom.

A score of a run is, to first order, a constant plus an effect of the seed, an effect of the images, and an interaction
of the two (Searle, Casella and McCulloch 1992, chapter 4: two-way crossed random effects). The variance of the mean
over n runs and N images is

    seed / n + images + interaction / n.

The sample variance over the seeds holds the seed and the interaction, the jackknife variance over the images of the
mean of the runs holds the images and the interaction. Their sum counts the interaction twice; its estimate, the
jackknife variance of what distinguishes the runs, is taken off once.

The degrees of freedom of the sum are Satterthwaite's (1946, Biometrics Bulletin 2, 110-114), from n - 1 for the seeds
and, for the images, as many as a sum of N squares of such kurtosis has, at most N - 1: few if a rare class makes the
score depend on a few images. Satterthwaite's formula is for true variances and gives too many if a variance with f
degrees of freedom happens to be estimated too small; in the formula alone, each is therefore raised by its relative
variance 2 / f. CALIBRATION.md shows what that and the jackknife are worth.
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
class ScoreSample:
    """Scores of runs, or differences of paired runs.

    Attributes:
        values: (n,) score of each run.
        left_out: (n, N) score of each run without each of the N images; nan if not defined.
        is_deterministic: Whether the seed cannot change the score.
    """

    values: Floats
    left_out: Floats
    is_deterministic: bool = False

    @property
    def is_random(self) -> bool:
        """Whether the runs show a variation over seeds: several runs of a method that is not deterministic."""
        return not self.is_deterministic and len(self.values) > 1

    @property
    def has_variation(self) -> bool:
        """Whether another seed or other images change the score, unlike a floor score of 0 in all runs."""
        return bool(np.ptp(self.values) > TINY or (np.ptp(self.left_out, axis=1) > TINY).any())


class MeanVariance(NamedTuple):
    """Variance of a mean or of a difference of means.

    Attributes:
        standard_error: Square root of the variance; 0 for a rounding error, infinite if the variance is unknown because
            the score is not defined without one of the images.
        df: Degrees of freedom of the variance.
        has_seeds: Whether the variance covers the seeds.
    """

    standard_error: float
    df: float
    has_seeds: bool


def estimate_variance(samples: Sequence[ScoreSample], *, others: Sequence[tuple[float, float]] = ()) -> MeanVariance:
    """Return the variance of the mean of one sample, or of the difference of the means of two.

    Args:
        samples: One sample (of runs, or of the differences of paired runs), or two independent ones. If one of the two
            is a single run of a method that is not deterministic, its variance over seeds is that of the other.
        others: Variances of further, independent effects, each with its degrees of freedom.
    """
    seeds = _list_seed_variances(samples)
    means = [sample.left_out.mean(axis=0) for sample in samples]
    contrast = means[0] - means[1] if len(means) == 2 else means[0]
    if np.isnan(contrast).any():
        return MeanVariance(math.inf, 1.0, bool(seeds))
    image_variance, image_df = _jackknife(contrast)
    image_variance = max(image_variance - sum(part.interaction for part in seeds), 0.0)
    parts = [(part.variance, float(part.df)) for part in seeds] + [(image_variance, image_df), *others]
    standard_error = math.sqrt(sum(variance for variance, _ in parts))
    if standard_error < TINY:
        return MeanVariance(0.0, image_df, bool(seeds))
    return MeanVariance(standard_error, combine_df(parts), bool(seeds))


def combine_df(parts: Sequence[tuple[float, float]]) -> float:
    """Return the degrees of freedom of a sum of independent variances.

    Args:
        parts: Variances, not all 0, each with its degrees of freedom.
    """
    raised = [(variance * (1 + 2 / df), df) for variance, df in parts]
    total = sum(variance for variance, _ in raised)
    return total**2 / sum(variance**2 / df for variance, df in raised)


def estimate_seed_variance(sample: ScoreSample) -> SeedVariance:
    """Return the variance over seeds of the mean of several runs."""
    n = len(sample.values)
    deviations = sample.left_out - sample.left_out.mean(axis=0)
    interaction = sum(_jackknife(row)[0] for row in deviations) / (n * (n - 1))
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


def _list_seed_variances(samples: Sequence[ScoreSample]) -> list[SeedVariance]:
    """Return the variances over seeds of the samples; empty if no sample shows any."""
    parts = [estimate_seed_variance(sample) for sample in samples if sample.is_random]
    is_single = [not sample.is_deterministic and len(sample.values) == 1 for sample in samples]
    if parts and any(is_single):
        (part,), n = parts, max(len(sample.values) for sample in samples)
        return [SeedVariance(part.variance * (n + 1), part.interaction * (n + 1), part.df)]
    return parts


def jackknife_variance(left_out: Floats) -> float:
    """Return the variance over images of a score, from its (N,) values without each of N >= 2 images."""
    return _jackknife(left_out)[0]


def _jackknife(left_out: Floats) -> tuple[float, float]:
    """Return the jackknife variance of a score without each of N >= 2 images, and its degrees of freedom."""
    images = len(left_out)
    squares = (left_out - left_out.mean()) ** 2
    total = float(squares.sum())
    # Relative variance of the sum of squares: 2 / N if they are those of normal deviations
    relative = float((squares**2).sum()) / total**2 - 1 / images if total else 0.0
    df = min(images - 1.0, 2 / relative) if relative > 0 else images - 1.0
    return total * (images - 1) / images, df
