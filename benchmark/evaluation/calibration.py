"""Measured coverage of intervals and false positives of tests, on simulated methods without a true difference.

`python -m benchmark.evaluation.calibration` writes the tables of CALIBRATION.md. Every experiment draws a data set of
images from a population and runs of two methods on it whose scores have the same distribution, so that the true
difference is 0. A pixel is predicted right with a probability whose log odds are the sum of a class, an image, a method
on an image, a seed of a method, a seed of both methods (which pairing removes), and a run on an image (the interaction
of seeds and images). Wrong pixels go to the next class.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import sparse

from benchmark.evaluation.counts import GAMMAS, Counts, Integers
from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.sides import Side
from benchmark.evaluation.stats import Interval, PairedDifference, compare_sides, estimate_means

EXPERIMENTS = 4000
"""Experiments behind the tables: a rate of 95 % is known to 0.35."""
IMAGES, CLASSES, UNSEEN = 100, 15, 5
CLASSES_PER_IMAGE, PIXELS = 4, 400
SEEDS = (2, 3, 5, 10)
UNPAIRED_SEEDS = (2, 3, 5)
PAIRED, UNPAIRED, SINGLE = "difference, paired seeds", "difference, other seeds", "difference, one run against"


@dataclass(frozen=True)
class Regime:
    """Standard deviations of the random effects on the log odds of a right pixel.

    Attributes:
        name: Name of the regime.
        seed: Effect of a seed on a class, for one method.
        image: Effect of a method on a class in an image, the same for all seeds.
        run: Effect of a run on a class in an image.
    """

    name: str
    seed: float
    image: float
    run: float = 0.2


REGIMES = (
    Regime("seed noise dominates", seed=0.4, image=0.1),
    Regime("image noise dominates", seed=0.02, image=1.2),
    Regime("both", seed=0.25, image=1.0),
)


class Experiment(NamedTuple):
    """Intervals and tests of one simulated experiment.

    Attributes:
        paired: Difference over seeds that both methods have, by the number of seeds.
        unpaired: Difference over different seeds, by the number of seeds of each method.
        single: Difference of a single run and five runs.
        means: Mean score of the first method with its interval, by the number of seeds.
    """

    paired: Mapping[int, PairedDifference]
    unpaired: Mapping[int, PairedDifference]
    single: PairedDifference
    means: Mapping[int, tuple[float, Interval]]


class Rates(NamedTuple):
    """Outcome of all experiments with one kind of comparison and number of seeds.

    Attributes:
        comparison: What is estimated.
        seeds: Number of seeds.
        coverage: Percentage of 95 % intervals that contain the true value.
        positives: Percentage of p values below 0.05; nan for means.
        half_width: Median half width of the intervals, in percentage points.
        deviation: Standard deviation of the estimates, in percentage points.
    """

    comparison: str
    seeds: int
    coverage: float
    positives: float
    half_width: float
    deviation: float


def simulate(regime: Regime, *, experiments: int = EXPERIMENTS, seed: int = 0) -> list[Experiment]:
    """Return the intervals and tests of simulated experiments.

    Args:
        regime: Sizes of the random effects.
        experiments: Number of experiments.
        seed: Seed of the simulation.
    """
    streams = np.random.SeedSequence(seed).spawn(experiments)
    return [_run_experiment(regime, np.random.default_rng(stream)) for stream in streams]


def draw_methods(regime: Regime, rng: np.random.Generator, *, skills: Sequence[float], seeds: int) -> list[Side]:
    """Return runs of methods on one data set drawn from the population.

    Args:
        regime: Sizes of the random effects.
        rng: Source of random numbers.
        skills: Shift of the log odds of each method.
        seeds: Number of runs of each method; their i-th runs share the effect of the i-th seed.
    """
    target = _draw_target(rng)
    log_odds = np.linspace(-0.5, 1.0, CLASSES) + rng.normal(0, 0.5, (IMAGES, 1))
    shared = rng.normal(0, regime.seed, (seeds, 1, CLASSES))
    sides = []
    for skill in skills:
        method = log_odds + skill + rng.normal(0, regime.image, (IMAGES, CLASSES))
        runs = rng.normal(0, regime.seed, (seeds, 1, CLASSES)) + shared
        odds = method + runs + rng.normal(0, regime.run, (seeds, IMAGES, CLASSES))
        correct = rng.binomial(target, 1 / (1 + np.exp(-odds)))
        sides.append(Side({seed: _make_counts(correct[seed], target) for seed in range(seeds)}))
    return sides


def measure_rates(experiments: Sequence[Experiment]) -> list[Rates]:
    """Return the rates of every kind of comparison and number of seeds.

    The true difference is 0; the true mean is that over all experiments, whose own error is small.
    """
    paired = [_rate_differences(PAIRED, n, [each.paired[n] for each in experiments]) for n in SEEDS]
    unpaired = [_rate_differences(UNPAIRED, n, [each.unpaired[n] for each in experiments]) for n in UNPAIRED_SEEDS]
    single = _rate_differences(SINGLE, 5, [each.single for each in experiments])
    return [*paired, *unpaired, single, *(_rate_means(n, [each.means[n] for each in experiments]) for n in SEEDS)]


def render(rates: Mapping[str, Sequence[Rates]]) -> str:
    """Return the rates of each regime as a Markdown table."""
    lines = [
        "| Regime | Estimate | Seeds | Coverage (%) | p < 0.05 (%) | Half width | SD of estimate |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for regime, several in rates.items():
        for each in several:
            positives = "" if np.isnan(each.positives) else f"{each.positives:.1f}"
            numbers = f"{each.coverage:.1f} | {positives} | {each.half_width:.1f} | {each.deviation:.1f}"
            lines.append(f"| {regime} | {each.comparison} | {each.seeds} | {numbers} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Write the table to stdout; the argument is the number of experiments, `EXPERIMENTS` if there is none."""
    experiments = int(arguments[0]) if arguments else EXPERIMENTS
    rates = {regime.name: measure_rates(simulate(regime, experiments=experiments)) for regime in REGIMES}
    sys.stdout.write(render(rates))


def _rate_differences(comparison: str, seeds: int, differences: Sequence[PairedDifference]) -> Rates:
    values = [difference.difference for difference in differences]
    positives = 100 * float(np.mean([difference.p_value < 0.05 for difference in differences]))
    rates = _rate_intervals(comparison, seeds, [difference.interval for difference in differences], true=0.0)
    return rates._replace(positives=positives, deviation=float(np.std(values)))


def _rate_means(seeds: int, means: Sequence[tuple[float, Interval]]) -> Rates:
    values = [mean for mean, _ in means]
    rates = _rate_intervals("mean", seeds, [interval for _, interval in means], true=float(np.mean(values)))
    return rates._replace(deviation=float(np.std(values)))


def _rate_intervals(comparison: str, seeds: int, intervals: Sequence[Interval], *, true: float) -> Rates:
    coverage = 100 * float(np.mean([interval.low <= true <= interval.high for interval in intervals]))
    half_width = float(np.median([(interval.high - interval.low) / 2 for interval in intervals]))
    return Rates(comparison, seeds, coverage, np.nan, half_width, np.nan)


def _run_experiment(regime: Regime, rng: np.random.Generator) -> Experiment:
    a, b = draw_methods(regime, rng, skills=(0.0, 0.0), seeds=max(SEEDS))
    jackknife = ImageJackknife(("hiou",))

    def compare(first: Sequence[int], second: Sequence[int]) -> PairedDifference:
        sides = a.select_seeds(first), b.select_seeds(second)
        (difference,) = compare_sides(sides[:1], sides[1], metric="hiou", convention="d2-main", jackknife=jackknife)
        return difference

    first, last = {n: range(n) for n in SEEDS}, {n: range(max(SEEDS) - n, max(SEEDS)) for n in SEEDS}
    return Experiment(
        paired={n: compare(first[n], first[n]) for n in SEEDS},
        unpaired={n: compare(first[n], last[n]) for n in UNPAIRED_SEEDS},
        single=compare(range(1), last[5]),
        means={n: _estimate(a.select_seeds(first[n]), jackknife=jackknife) for n in SEEDS},
    )


def _estimate(side: Side, *, jackknife: ImageJackknife) -> tuple[float, Interval]:
    interval = estimate_means(side, metrics=["hiou"], convention="d2-main", jackknife=jackknife)["hiou"]
    assert interval is not None
    return (interval.low + interval.high) / 2, interval


def _draw_target(rng: np.random.Generator) -> Integers:
    """Return (images, classes) labeled pixels: a few classes an image, of very different sizes."""
    ranks = rng.random((IMAGES, CLASSES)).argsort(axis=1)
    sizes = rng.lognormal(np.log(PIXELS), 0.8, (IMAGES, CLASSES))
    return np.where(ranks < CLASSES_PER_IMAGE, np.ceil(sizes), 0).astype(np.int64)


def _make_counts(correct: Integers, target: Integers) -> Counts:
    wrong = np.roll(target - correct, 1, axis=1)
    confusion = np.diag(correct.sum(axis=0)) + np.roll(np.diag((target - correct).sum(axis=0)), 1, axis=1)
    seen = tuple(index >= UNSEEN for index in range(CLASSES))
    rows = [sparse.csr_array(matrix) for matrix in (correct, correct + wrong, target)]
    ids, names = _name(IMAGES), _name(CLASSES)
    none = np.zeros((CLASSES, len(GAMMAS) + 1), dtype=np.int64)
    return Counts(ids, names, seen, rows[0], rows[1], rows[2], none, none, sparse.csr_array(confusion))


@cache
def _name(number: int) -> tuple[str, ...]:
    return tuple(f"{index:03}" for index in range(number))


if __name__ == "__main__":
    main(sys.argv[1:])
