"""Measured coverage of intervals over splits, on simulated methods without a true difference over all splits.

`python -m benchmark.evaluation.split_calibration` writes the table of CALIBRATION.md. Every experiment draws images
from a population and some of all choices of unseen classes from a pool, as many of each of two kinds. A class that is
unseen shifts the log odds of its right pixels by an effect of its own, so that splits that share classes are alike.
Both methods have the same effects on other classes of the same kind: they differ on every split, and not on average
over all 3136. To the effect of the class are added those of the image, of a method on a class in an image (on all
splits, and on one), of a seed on a class (of a method, on one split and on all, and of both methods, which pairing
removes), and of a run on an image. Wrong pixels go to the other classes in equal parts, so that classes of a kind can
be exchanged.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from benchmark.evaluation.common_seeds import estimate_common_seeds
from benchmark.evaluation.counts import Integers
from benchmark.evaluation.scores import Floats, compute_means
from benchmark.evaluation.stats import Interval, make_interval
from benchmark.evaluation.variation import ScoreSample, estimate_variance

EXPERIMENTS = 2000
"""Experiments behind the table: a rate of 95 % is known to 0.5."""
KINDS, CLASSES_PER_KIND, UNSEEN_PER_KIND = 2, 8, 3
CLASSES = KINDS * CLASSES_PER_KIND
IMAGES, CLASSES_PER_IMAGE, PIXELS = 100, 4, 400
SPLITS, SEEDS = (1, 3, 5, 10, 12, 20), (1, 2, 3, 5)
QUANTILES = (-1.53, -0.89, -0.49, -0.16, 0.16, 0.49, 0.89, 1.53)
"""Effects of the classes of a kind, of standard deviation 0.9: quantiles of the normal distribution."""
ONE_CLASS = (-1.0, 0, 0, 0, 0, 0, 0, 0)
"""Effects of the classes of a kind if one class decides."""


@dataclass(frozen=True)
class SplitRegime:
    """Sizes of the random effects on the log odds of a right pixel.

    Attributes:
        name: Name of the regime.
        unseen: Effect of a class being unseen, times `shape`.
        seed: Effect of a seed on a class, for one method on one split; as much again for both methods.
        image: Effect of a method on a class in an image, on all splits; half as much again on each split.
        run: Effect of a run on a class in an image.
        common: Effect of a seed on a class, for one method, on all splits alike.
        shape: Effects of the classes of each kind, in any order.
    """

    name: str
    unseen: float
    seed: float
    image: float
    run: float = 0.2
    common: float = 0.0
    shape: tuple[float, ...] = QUANTILES


SPLIT_REGIMES = (
    SplitRegime("no effect of the splits, seed noise", unseen=0.0, seed=0.4, image=0.1),
    SplitRegime("no effect of the splits, image noise", unseen=0.0, seed=0.02, image=1.2),
    SplitRegime("small effect of the splits", unseen=0.25, seed=0.25, image=0.6),
    SplitRegime("splits dominate", unseen=1.0, seed=0.25, image=0.6),
    SplitRegime("seeds do the same on all splits", unseen=0.25, seed=0.1, image=0.3, common=0.3),
    SplitRegime("one class of each kind decides", unseen=3.0, seed=0.25, image=0.6, shape=ONE_CLASS),
)


class Sampling(NamedTuple):
    """What is estimated, and from how many runs.

    Attributes:
        estimate: "difference" or "mean".
        splits: Number of splits.
        seeds: Number of seeds on each.
    """

    estimate: str
    splits: int
    seeds: int


class Coverage(NamedTuple):
    """Outcome of all experiments with one estimate.

    Attributes:
        coverage: Percentage of 95 % intervals that contain the true mean over all splits. For a difference, the rest is
            that of p values below 0.05.
        half_width: Median half width of the intervals, in percentage points.
        deviation: Standard deviation of the estimates, in percentage points.
    """

    coverage: float
    half_width: float
    deviation: float


def simulate_splits(regime: SplitRegime, *, experiments: int = EXPERIMENTS, seed: int = 0) -> dict[Sampling, Coverage]:
    """Return the coverage of the intervals of simulated experiments.

    The true difference is 0; the true mean is that over all experiments, whose own error is small.

    Args:
        regime: Sizes of the random effects.
        experiments: Number of experiments.
        seed: Seed of the simulation.
    """
    streams = np.random.SeedSequence(seed).spawn(experiments)
    intervals: dict[Sampling, list[Interval]] = {}
    for stream in streams:
        for sampling, interval in _run_experiment(regime, np.random.default_rng(stream)):
            intervals.setdefault(sampling, []).append(interval)
    centers = [_center(interval) for interval in intervals[Sampling("mean", max(SPLITS), max(SEEDS))]]
    true = {"difference": 0.0, "mean": float(np.mean(centers))}
    return {sampling: _rate(several, true=true[sampling.estimate]) for sampling, several in intervals.items()}


def render_coverage(coverage: Mapping[str, Mapping[Sampling, Coverage]]) -> str:
    """Return the coverage of each regime as a Markdown table, a line an estimate and number of splits."""
    seeds = " | ".join(f"{count} seed{'s' if count > 1 else ''}" for count in SEEDS)
    lines = [
        f"| Regime | Estimate | Splits | {seeds} | Half width | SD of estimate |",
        "|---|---|---:|" + "---:|" * (len(SEEDS) + 2),
    ]
    for regime, several in coverage.items():
        for estimate, splits in product(("difference", "mean"), SPLITS):
            rates = [several[Sampling(estimate, splits, count)] for count in SEEDS]
            numbers = " | ".join(f"{rate.coverage:.1f}" for rate in rates)
            middle = rates[SEEDS.index(3)]
            lines.append(
                f"| {regime} | {estimate} | {splits} | {numbers} | {middle.half_width:.1f} | {middle.deviation:.1f} |"
            )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Write the table to stdout; the argument is the number of experiments, `EXPERIMENTS` if there is none."""
    experiments = int(arguments[0]) if arguments else EXPERIMENTS
    coverage = {regime.name: simulate_splits(regime, experiments=experiments) for regime in SPLIT_REGIMES}
    sys.stdout.write(render_coverage(coverage))


def _run_experiment(regime: SplitRegime, rng: np.random.Generator) -> Iterator[tuple[Sampling, Interval]]:
    """Yield the interval of each estimate from the first splits and seeds of an experiment."""
    scores, left_out = _draw_scores(regime, rng)
    estimates = {"difference": (scores[0] - scores[1], left_out[0] - left_out[1]), "mean": (scores[0], left_out[0])}
    for estimate, (values, without) in estimates.items():
        for splits, seeds in product(SPLITS, SEEDS):
            runs = values[:splits, :seeds]
            sample = _pool_runs(runs, without[:splits, :seeds])
            common = estimate_common_seeds([dict(enumerate(row)) for row in runs]) if splits > 1 else []
            variance = estimate_variance([sample], others=common)
            yield (
                Sampling(estimate, splits, seeds),
                make_interval(float(sample.values.mean()), variance, level=0.95),
            )


def _pool_runs(values: Floats, left_out: Floats) -> ScoreSample:
    """Return the values of splits as a sample; of a single split, those of its runs.

    Args:
        values: (splits, seeds).
        left_out: (splits, seeds, N).
    """
    if len(values) == 1:
        return ScoreSample(values[0], left_out[0])
    return ScoreSample(values.mean(axis=1), left_out.mean(axis=1))


def _draw_scores(regime: SplitRegime, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the hIoU of runs of two methods, (2, splits, seeds), and without each image, (2, splits, seeds, N)."""
    unseen = _list_choices()[rng.choice(len(_list_choices()), max(SPLITS), replace=False)]  # (splits, K)
    images, classes, pixels = _draw_target(rng)
    odds = _draw_log_odds(regime, rng, unseen=unseen, images=images, classes=classes)
    right = pixels / (1 + np.exp(-odds))  # (2, splits, seeds, labeled)
    target = np.zeros((IMAGES, CLASSES))
    target[images, classes] = pixels
    parts = [_score(right[:, split], (images, classes), target, unseen=own) for split, own in enumerate(unseen)]
    scores, left_out = (np.stack(part, axis=1) for part in zip(*parts, strict=True))
    return scores, left_out


def _draw_log_odds(
    regime: SplitRegime, rng: np.random.Generator, *, unseen: Floats, images: Integers, classes: Integers
) -> Floats:
    """Return the log odds of a right pixel, (2, splits, seeds, labeled), of each labeled class of each image."""
    splits, seeds, labeled = max(SPLITS), max(SEEDS), len(classes)
    kinds = np.repeat([1.0, 0.5], CLASSES_PER_KIND)
    effects = np.array([[rng.permutation(regime.shape) for _ in range(KINDS)] for _ in range(2)]).reshape(2, CLASSES)
    shift = unseen * (regime.unseen * effects - 1.0)[:, None]  # (2, splits, K)
    both = rng.normal(0, regime.seed, (splits, seeds, CLASSES))
    of_class = kinds + shift[:, :, None] + both + rng.normal(0, regime.seed, (2, splits, seeds, CLASSES))
    of_class = of_class + rng.normal(0, regime.common, (2, 1, seeds, CLASSES))
    of_image = rng.normal(0, 0.5, IMAGES)[images] + rng.normal(0, regime.image, (2, 1, 1, labeled))
    of_image = of_image + rng.normal(0, regime.image / 2, (2, splits, 1, labeled))
    odds: Floats = of_class[..., classes] + of_image + rng.normal(0, regime.run, (2, splits, seeds, labeled))
    return odds


def _draw_target(rng: np.random.Generator) -> tuple[Integers, Integers, Floats]:
    """Return the image, the class and the pixels of each labeled class of each image: few classes of all sizes."""
    ranks = rng.random((IMAGES, CLASSES)).argsort(axis=1)
    images, classes = np.nonzero(ranks < CLASSES_PER_IMAGE)
    return images, classes, rng.lognormal(np.log(PIXELS), 0.8, len(images))


def _score(
    right: Floats, labeled: tuple[Integers, Integers], target: Floats, *, unseen: Floats
) -> tuple[Floats, Floats]:
    """Return the hIoU on a split on all images and without each.

    Args:
        right: (2, seeds, labeled) right pixels.
        labeled: Images and classes of the labeled pixels.
        target: (N, K) labeled pixels.
        unseen: (K,) whether a class is unseen.

    Returns:
        (2, seeds) and (2, seeds, N).
    """
    intersection = np.zeros((*right.shape[:2], *target.shape))
    intersection[:, :, labeled[0], labeled[1]] = right
    wrong = target - intersection
    prediction = intersection + (wrong.sum(axis=-1, keepdims=True) - wrong) / (CLASSES - 1)
    totals = [counts.sum(axis=-2, keepdims=True) for counts in (intersection, prediction, target)]
    seen = tuple(unseen == 0)
    scores = compute_means(*totals, seen=seen, convention="d2-main")["hiou"][..., 0]
    rest = [total - counts for total, counts in zip(totals, (intersection, prediction, target), strict=True)]
    return scores, compute_means(*rest, seen=seen, convention="d2-main")["hiou"]


@cache
def _list_choices() -> Floats:
    """Return all choices of unseen classes, (choices, K), 1 if a class is unseen."""
    kind = [np.isin(np.arange(CLASSES_PER_KIND), own) for own in combinations(range(CLASSES_PER_KIND), UNSEEN_PER_KIND)]
    return np.array([np.concatenate(pair) for pair in product(kind, repeat=KINDS)], dtype=np.float64)


def _rate(intervals: Sequence[Interval], *, true: float) -> Coverage:
    return Coverage(
        coverage=100 * float(np.mean([interval.low <= true <= interval.high for interval in intervals])),
        half_width=float(np.median([(interval.high - interval.low) / 2 for interval in intervals])),
        deviation=float(np.std([_center(interval) for interval in intervals])),
    )


def _center(interval: Interval) -> float:
    return (interval.low + interval.high) / 2


if __name__ == "__main__":
    main(sys.argv[1:])
