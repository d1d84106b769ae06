"""Sides of a comparison: the runs of one method by seed, checked to be on the same images, and how two are paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from benchmark.evaluation.counts import Counts, Matrix
from benchmark.evaluation.scores import METRICS, Metric
from benchmark.utils.did_you_mean import explain_unknown_name

Pairing = Literal["seeds", "shared seeds", "none"]

MIN_SHARED_SEEDS = 3
"""Shared seeds from which two sides with different seeds are compared over the shared ones alone."""


@dataclass(frozen=True, eq=False)
class Side:
    """Runs of one method.

    Attributes:
        runs: Counts by seed.
        is_deterministic: Whether the seed cannot change the result. Its variance over seeds is then 0 and known, rather
            than unknown as that of a single run of a random method.
    """

    runs: Mapping[int, Counts]
    is_deterministic: bool = False

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Seeds, ascending."""
        return tuple(sorted(self.runs))

    @cached_property
    def counts(self) -> tuple[Counts, ...]:
        """Counts of the runs, in the order of their seeds."""
        return tuple(self.runs[seed] for seed in self.seeds)

    def select_seeds(self, seeds: Sequence[int]) -> Side:
        """Return the side with these seeds alone."""
        return Side({seed: self.runs[seed] for seed in seeds}, self.is_deterministic)


def find_pairing(a: Side, b: Side) -> tuple[Pairing, tuple[int, ...]]:
    """Return how two sides are paired, and the seeds of the pairs, ascending.

    Sides with the same seeds are paired. So are sides that share `MIN_SHARED_SEEDS` or more, over the shared seeds
    alone: the others have no partner. With fewer shared seeds, or if a side is deterministic, all runs take part
    unpaired. A pair of single runs is no pairing: it says nothing about seeds.
    """
    shared = tuple(sorted(set(a.seeds) & set(b.seeds)))
    if a.is_deterministic or b.is_deterministic or len(shared) < 2:
        return "none", ()
    if a.seeds == b.seeds:
        return "seeds", shared
    return ("shared seeds", shared) if len(shared) >= MIN_SHARED_SEEDS else ("none", ())


def check_sides(sides: Sequence[Side], *, metrics: Sequence[Metric], level: float) -> None:
    """Check that sides can be compared in these scores.

    Raises:
        ValueError: A side has no runs or images, runs have different images, classes or labels, a metric is unknown, or
            the level is outside 0 … 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a number between 0 and 1 such as 0.95")
    for metric in metrics:
        if metric not in METRICS:
            raise ValueError(explain_unknown_name("metric", metric, METRICS))
    for number, side in enumerate(sides):
        if not side.counts:
            raise ValueError(f"side {number} has no runs: give the counts of at least one")
    runs = [run for side in sides for run in side.counts]
    if not runs[0].image_ids:
        raise ValueError("the runs have no images: give counts of at least one image")
    for run in runs[1:]:
        _check_pair(run, runs[0])


def check_pool(sides: Mapping[str, Side]) -> None:
    """Check that a method's runs on several splits are one pool, see `find_pool_obstacle`.

    Raises:
        ValueError: They are not.
    """
    obstacle = find_pool_obstacle(sides)
    if obstacle:
        raise ValueError(f"{obstacle}: pool splits that differ in nothing but which classes are unseen")


def find_pool_obstacle(sides: Mapping[str, Side]) -> str:
    """Return why a method's runs on several splits are not one pool; empty if they are.

    Splits of one pool differ in which of the same classes are unseen, and in nothing else: the same images and labels,
    and equally many unseen classes. No two withhold the same ones, which would count one choice twice.

    Args:
        sides: Runs of one method by the name of the split, at least one a split.
    """
    first, *others = sides
    known = {sides[first].counts[0].seen: first}
    for split in others:
        run, start = sides[split].counts[0], sides[first].counts[0]
        pair = f"splits {first} and {split}"
        if run.image_ids != start.image_ids:
            return f"{pair} are evaluated on different images"
        if run.classes != start.classes:
            return f"{pair} have different classes"
        if not _is_equal(run.target, start.target):
            return f"{pair} have the same images with different labels"
        if sum(run.seen) != sum(start.seen):
            return f"{pair} have {start.seen.count(False)} and {run.seen.count(False)} unseen classes"
        if run.seen in known:
            return f"splits {known[run.seen]} and {split} withhold the same classes"
        known[run.seen] = split
    return ""


def _check_pair(run: Counts, first: Counts) -> None:
    """Check that two runs were evaluated on the same images, classes and labels."""
    if run.image_ids != first.image_ids:
        missing, extra = set(first.image_ids) - set(run.image_ids), set(run.image_ids) - set(first.image_ids)
        raise ValueError(
            f"runs were evaluated on different images: one lacks {len(missing)} of the first run's "
            f"{len(first.image_ids)} and has {len(extra)} others; evaluate both on the same images"
        )
    if (run.classes, run.seen) != (first.classes, first.seen):
        raise ValueError("runs differ in their classes or in which are seen: compare runs of one split")
    if not _is_equal(run.target, first.target):
        raise ValueError("runs have the same images with different labels: evaluate both on the same masks")


def _is_equal(a: Matrix, b: Matrix) -> bool:
    """Return whether two matrices of `Counts` are equal; equal matrices are stored as equal arrays."""
    return a is b or all(np.array_equal(getattr(a, part), getattr(b, part)) for part in ("indptr", "indices", "data"))
