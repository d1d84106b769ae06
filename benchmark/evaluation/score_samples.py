"""Scores of the runs of a side, or of two sides whose difference is estimated, on all images and without each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.scores import Convention, Floats, Metric
from benchmark.evaluation.sides import Pairing, Side, find_pairing
from benchmark.evaluation.variation import ScoreSample


@dataclass(frozen=True, eq=False)
class DifferenceSample:
    """Scores that a difference a - b is estimated from.

    Attributes:
        sides: Runs of a and of b that take part.
        pairing: Seeds that are compared pair by pair.
        samples: Differences of paired runs as one sample, or the scores of a and those of b.
        means: Mean score of a and of b.
        is_known: Whether the variation can be estimated: a score shows some, or there is none for certain.
    """

    sides: tuple[Side, Side]
    pairing: Pairing
    samples: tuple[ScoreSample, ...]
    means: tuple[float, float]
    is_known: bool

    @property
    def by_seed(self) -> tuple[Mapping[int, float], ...]:
        """Difference of each pair by its seed, or the scores of each random side."""
        pairs = zip(self.samples, self.sides, strict=False)
        return tuple(
            dict(zip(side.seeds, sample.values.tolist(), strict=True))
            for sample, side in pairs
            if not sample.is_deterministic
        )

    @property
    def left_out(self) -> Floats:
        """(N,) difference of the means without each of the N images."""
        means = [sample.left_out.mean(axis=0) for sample in self.samples]
        return np.asarray(means[0] - means[1] if len(means) == 2 else means[0], dtype=np.float64)


def sample_scores(side: Side, *, metric: Metric, convention: Convention, jackknife: ImageJackknife) -> ScoreSample:
    """Return the unrounded scores of the runs of a side, on all images and without each."""
    scores = [jackknife.compute_score(run, metric=metric, convention=convention) for run in side.counts]
    left_out = [jackknife.leave_out(run, metric=metric, convention=convention) for run in side.counts]
    return ScoreSample(np.array(scores), np.stack(left_out), side.is_deterministic)


def sample_difference(
    a: Side, b: Side, *, metric: Metric, convention: Convention, jackknife: ImageJackknife
) -> DifferenceSample:
    """Return the scores that the difference of two sides is estimated from, see `sides.find_pairing`."""
    pairing, seeds = find_pairing(a, b)
    a, b = (side.select_seeds(seeds) if seeds else side for side in (a, b))
    first, second = (sample_scores(side, metric=metric, convention=convention, jackknife=jackknife) for side in (a, b))
    is_known = first.has_variation or second.has_variation or _is_equality_known(a, b, pairing=pairing)
    samples: tuple[ScoreSample, ...] = (first, second)
    if pairing != "none":
        samples = (ScoreSample(first.values - second.values, first.left_out - second.left_out),)
    return DifferenceSample(
        (a, b), pairing, samples, (float(first.values.mean()), float(second.values.mean())), is_known
    )


def are_equal(runs: Sequence[Counts]) -> bool:
    """Return whether all runs have the same counts."""
    return all(run == runs[0] for run in runs[1:])


def _is_equality_known(a: Side, b: Side, *, pairing: Pairing) -> bool:
    """Return whether two sides that show no variation have none: deterministic ones, and those of equal counts."""
    if a.is_deterministic and b.is_deterministic:
        return True
    if pairing != "none":
        return all(run == other for run, other in zip(a.counts, b.counts, strict=True))
    return are_equal((*a.counts, *b.counts))
