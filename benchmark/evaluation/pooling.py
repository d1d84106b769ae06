"""Scores and differences over several splits: means over splits, seeds and images, with intervals.

Splits of one pool withhold other classes of the same data set. The mean over splits is that of every other choice of
unseen classes from the same classes, by the same rule; it says nothing about classes that the data set does not have.

The rule is that of `variation` with splits in the place of runs: the value of a split is the mean over its seeds (of
the differences, if seeds are paired), the sample variance of these values holds the splits, the seeds within them and
what the images change from split to split, and the jackknife over the images, left out of all splits together, holds
what the images change on all splits; what both hold is taken off once. The number of seeds may differ, and may be one:
every split counts the same, and no variance over seeds is needed. What a seed does on all splits alike moves their
values together; its variance is estimated from the seeds that splits share and is added, see `common_seeds`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from benchmark.evaluation.common_seeds import estimate_common_seeds, list_seed_tables, warn_of_few_seeds
from benchmark.evaluation.components import VarianceComponents, estimate_components, pool_samples
from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.score_samples import DifferenceSample, sample_difference
from benchmark.evaluation.scores import Convention, Metric
from benchmark.evaluation.sides import Side, check_pool, check_sides
from benchmark.evaluation.stats import (
    NO_VARIATION,
    ONE_IMAGE,
    Difference,
    PairedDifference,
    compare_sides,
    join_cautions,
    make_interval,
    spell_number,
)
from benchmark.evaluation.variation import TINY, MeanVariance, ScoreSample, compute_upper_p, estimate_variance

ONE_SPLIT = "one split: the choice of classes is not covered"


@dataclass(frozen=True)
class PooledDifference(Difference):
    """Difference over several splits of one data set, the mean of those by split; every split counts the same.

    The interval of a single split covers the seeds and the images alone. The exact test of `least_p` flips the signs of
    splits; of a single split, it is that of its seeds.

    Attributes:
        by_split: Difference on each split, with the interval that this split alone would have.
        components: Variances of a difference of two runs on one split; None if there is one split, or the variation is
            unknown.
    """

    by_split: Mapping[str, PairedDifference]
    components: VarianceComponents | None

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that take part."""
        return tuple(self.by_split)

    @property
    def split_sd(self) -> float | None:
        """Standard deviation of the true differences between splits, noise removed; None if it is unknown."""
        return None if self.components is None else self.components.split_sd

    @property
    def split_share(self) -> float | None:
        """Share of the variance of a difference of two runs on one split that the choice of classes explains."""
        return None if self.components is None else self.components.split_share

    @property
    def num_positive(self) -> int:
        """Number of splits on which the observed difference is above 0."""
        return sum(paired.difference > 0 for paired in self.by_split.values())

    @property
    def num_negative(self) -> int:
        """Number of splits on which the observed difference is below 0."""
        return sum(paired.difference < 0 for paired in self.by_split.values())

    @property
    def sign_p(self) -> float:
        """Two-sided p value of the exact binomial test that both signs are as likely; ties take no part.

        A test of the median over splits, weaker than that of the mean: it ignores how large the differences are.
        """
        from scipy.special import bdtr

        signs = self.num_positive + self.num_negative
        return min(1.0, 2 * float(bdtr(min(self.num_positive, self.num_negative), signs, 0.5))) if signs else 1.0


def compare_over_splits(
    a: Mapping[str, Side],
    b: Mapping[str, Side],
    *,
    metric: Metric,
    convention: Convention,
    level: float = 0.95,
    jackknife: ImageJackknife | None = None,
) -> PooledDifference:
    """Compare two methods over the splits that both have runs on, given the variation of splits, seeds and images.

    Args:
        a: Runs of a method by the name of the split.
        b: Runs of the method that is subtracted, by the name of the split.
        metric: Score to compare.
        convention: Convention of the score.
        level: Level of the interval.
        jackknife: Scores without each image, if other intervals of the same runs share them.

    Returns:
        Difference a - b. Splits on which the score is not defined take no part. The variation is unknown if the score
        is not defined without one of the images, or if neither side shows any although runs are random: the interval is
        then all that differences can be, and p is 1.

    Raises:
        ValueError: No split has runs of both, the splits are not one pool (see `find_pool_obstacle`), a side has no
            runs, the metric or convention is unknown, or the score is not defined on any split.
    """
    shared = _list_shared_splits(a, b)
    for split in shared:
        check_sides([b[split], a[split]], metrics=[metric], level=level)
    check_pool({split: a[split] for split in shared})
    jackknife = jackknife or ImageJackknife((metric,))
    sample = partial(sample_difference, metric=metric, convention=convention, jackknife=jackknife)
    compare = partial(compare_sides, metric=metric, convention=convention, level=level, jackknife=jackknife)
    samples = {split: sample(a[split], b[split]) for split in shared}
    samples = {split: each for split, each in samples.items() if not math.isnan(sum(each.means))}
    if not samples:
        raise ValueError(f"{metric} is not defined on any of the splits {shared}: its classes do not occur")
    by_split = {split: compare([a[split]], b[split])[0] for split in samples}
    missing = warn_of_missing(len(samples), shared=len(shared), sizes=(len(a), len(b)))
    if len(samples) == 1:
        (paired,) = by_split.values()
        return _pool_one(paired, by_split, caution=join_cautions(missing, ONE_SPLIT))
    return _pool(list(samples.values()), by_split, level=level, caution=missing)


def _list_shared_splits(a: Mapping[str, Side], b: Mapping[str, Side]) -> list[str]:
    shared = [split for split in a if split in b]
    if not shared:
        raise ValueError(f"no split has runs of both: a has {sorted(a) or 'none'}, b has {sorted(b) or 'none'}")
    return shared


def _pool_one(paired: PairedDifference, by_split: Mapping[str, PairedDifference], *, caution: str) -> PooledDifference:
    """Return the difference on the only split."""
    return PooledDifference(
        metric=paired.metric,
        convention=paired.convention,
        difference=paired.difference,
        interval=replace(paired.interval, caution=join_cautions(caution, paired.interval.caution)),
        p_value=paired.p_value,
        standard_error=paired.standard_error,
        images=paired.images,
        by_split=by_split,
        components=None,
        least_p=paired.least_p,
    )


def _pool(
    samples: Sequence[DifferenceSample], by_split: Mapping[str, PairedDifference], *, level: float, caution: str
) -> PooledDifference:
    """Return the difference over several splits."""
    first = next(iter(by_split.values()))
    pooled = pool_samples(samples)
    mean = float(pooled.values.mean())
    difference = mean if abs(mean) >= TINY else 0.0
    variance, unknown = _find_variance(pooled, samples)
    cautions = join_cautions(caution, warn_of_few_splits(len(samples)), _warn_of_splits(samples, by_split), unknown)
    interval = make_interval(difference, variance, level=level)
    is_random = not all(side.is_deterministic for sample in samples for side in sample.sides)
    return PooledDifference(
        metric=first.metric,
        convention=first.convention,
        difference=difference,
        interval=replace(interval, kind=name_kind(is_random), caution=cautions),
        p_value=2 * compute_upper_p(abs(difference), standard_error=variance.standard_error, df=variance.df),
        standard_error=variance.standard_error,
        images=first.images,
        by_split=by_split,
        components=estimate_components(samples) if math.isfinite(variance.standard_error) else None,
        least_p=2.0 ** (1 - len(samples)),
    )


def _find_variance(pooled: ScoreSample, samples: Sequence[DifferenceSample]) -> tuple[MeanVariance, str]:
    """Return the variance of a mean over splits, and the reason if it is unknown."""
    common = [part for tables in list_seed_tables(samples) for part in estimate_common_seeds(tables)]
    variance = estimate_variance([pooled], others=common)
    if math.isinf(variance.standard_error):
        return variance, ONE_IMAGE
    if variance.standard_error == 0 and not all(sample.is_known for sample in samples):
        return variance._replace(standard_error=math.inf), NO_VARIATION
    return variance, ""


def name_kind(is_random: bool) -> str:
    """Return the sources of the variation over several splits; random methods vary over seeds too."""
    return "splits, seeds and images" if is_random else "splits and images"


def warn_of_missing(used: int, *, shared: int, sizes: Sequence[int]) -> str:
    """Return the caution of splits that take no part: those of one side alone, and those without a defined score."""
    alone = ""
    if max(sizes) > shared:
        own, reference = map(spell_number, sizes)
        splits = f"{spell_number(shared)} split{'s' * (shared > 1)}"
        alone = f"over the {splits} that both have, of its {own} and the reference's {reference}"
    undefined = (
        f"not defined on {spell_number(shared - used)} of {spell_number(shared)} splits" if used < shared else ""
    )
    return join_cautions(alone, undefined)


def warn_of_few_splits(splits: int) -> str:
    """Return the caution of an interval over so few splits that it is unreliable."""
    return "two splits: unreliable" if splits == 2 else ""


def _warn_of_splits(samples: Sequence[DifferenceSample], by_split: Mapping[str, PairedDifference]) -> str:
    """Return the caution of splits whose difference is over some seeds or few, or shows no variation."""
    partial = sum(paired.pairing == "shared seeds" for paired in by_split.values())
    silent = sum(not sample.is_known for sample in samples)
    total = spell_number(len(samples))
    return join_cautions(
        f"over the shared seeds alone on {spell_number(partial)} of {total} splits" if partial else "",
        f"no variation observed on {spell_number(silent)} of {total} splits" if silent else "",
        warn_of_few_seeds(list_seed_tables(samples)),
    )
