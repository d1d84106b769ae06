"""Rows over several splits: the same method on splits that differ in nothing but the choice of unseen classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np

from benchmark.evaluation.pooled_means import estimate_over_splits
from benchmark.evaluation.scores import Floats, Metric
from benchmark.evaluation.sides import Side
from benchmark.report.result_row import Estimate, ResultRow, RunResult
from benchmark.report.rows import Row, name_seeds
from benchmark.report.split_names import LISTED_SPLITS, list_splits, name_first_in_full


@dataclass(frozen=True, eq=False, kw_only=True)
class PooledRow(ResultRow):
    """Results of one row over several splits, each of which counts alike.

    Attributes:
        members: Results on each split, in the order of the table.
        num_splits: Number of splits of the table, on some of which the row may not stand.
    """

    members: tuple[Row, ...]
    num_splits: int

    @property
    def done_members(self) -> tuple[Row, ...]:
        """Results on the splits on which a run is done."""
        return tuple(member for member in self.members if member.done)

    @property
    def counted(self) -> tuple[RunResult, ...]:
        """Runs behind the scores: the done ones, of deterministic runs only the first of each split."""
        return tuple(run for member in self.members for run in member.counted)

    @property
    def is_complete(self) -> bool:
        """Whether the row stands on every split and is complete there."""
        return len(self.members) == self.num_splits and all(member.is_complete for member in self.members)

    @property
    def sides(self) -> Mapping[str, Side]:
        """Pixel counts by split and seed, without splits on which no run is done."""
        return {member.split: member.side for member in self.done_members}

    @cached_property
    def estimates(self) -> dict[Metric, Estimate]:
        """Estimates of the mean over the splits by metric; splits without the score are left out."""
        if not self.done:
            return {}
        known: dict[Metric, Estimate] = {}
        intervals = estimate_over_splits(
            self.sides, metrics=self.metrics, convention=self.convention, jackknife=self.jackknife
        )
        for metric in self.metrics:
            scores = [score for score in self.select_scores(metric) if not math.isnan(score)]
            known[metric] = Estimate(fmean(scores) if scores else math.nan, intervals[metric])
        return known

    def select_scores(self, metric: Metric) -> tuple[float, ...]:
        """Return the mean over the seeds of every split on which a run is done; nan if not defined there."""
        return tuple(fmean(member.select_scores(metric)) for member in self.done_members)

    def list_defined(self, metric: Metric) -> tuple[str, ...]:
        """Return the splits on which a score is defined."""
        scores = zip(self.done_members, self.select_scores(metric), strict=True)
        return tuple(member.split for member, score in scores if not math.isnan(score))

    def average_iou(self, *, is_seen: bool) -> Floats:
        """Return the (K,) IoU per class, mean over the splits on which it is seen or unseen; nan if there are none."""
        values = np.array([member.average_iou(is_seen=is_seen) for member in self.done_members])
        known = ~np.isnan(values)
        total, number = np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0)
        return np.asarray(np.divide(total, number, out=np.full(len(number), np.nan), where=number > 0))

    def name_runs(self, runs: Sequence[RunResult]) -> str:
        """Return some runs of the row by seed and split: "seed 0 on toybox@6-s0-03, 05; seeds 0, 1 on 07"."""
        if len(runs) == len(self.runs) > 1:
            return f"all {len(runs)} runs"
        ids = {run.run_id for run in runs}
        places: dict[str, list[str]] = {}
        for member in self.members:
            some = [run for run in member.runs if run.run_id in ids]
            if some:
                places.setdefault(name_seeds(some), []).append(member.split)
        splits = [split for some in places.values() for split in some]
        if len(splits) > LISTED_SPLITS:
            return f"{len(runs)} runs on {list_splits(splits)}"
        names = dict(zip(splits, name_first_in_full(splits), strict=True))
        return "; ".join(f"{seeds} on {', '.join(names[split] for split in some)}" for seeds, some in places.items())


def pool_members(members: Sequence[Row], *, num_splits: int) -> PooledRow:
    """Return the row over several splits.

    Args:
        members: Results on each split; at least one.
        num_splits: Number of splits of the table.
    """
    first = members[0]
    return PooledRow(
        label=first.label,
        method=first.method,
        split="",
        runs=tuple(run for member in members for run in member.runs),
        convention=first.convention,
        jackknife=first.jackknife,
        study=first.study,
        members=tuple(members),
        num_splits=num_splits,
    )
