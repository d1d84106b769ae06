"""Scores of the stages of Chimera-Seg over several runs, on one split or several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.scores import Metric, Scores
from benchmark.evaluation.variation import compute_t_quantile

LEVEL = 0.95
METRICS: tuple[Metric, ...] = ("miou_seen", "miou_unseen", "hiou")
LAST_STAGE = "prediction"


@dataclass(frozen=True)
class StageMean:
    """Scores of a stage in percent, means over splits of means over runs.

    Attributes:
        stage: Name of the stage.
        means: Mean by metric.
        gain: Mean of what the hIoU of the prediction has above that of the stage.
        gain_half_width: Half width of the 95 % interval of that mean: Student's t over the splits or, if there is only
            one, over its runs; nan for one run. It covers other splits, or other seeds, and not other images.
    """

    stage: str
    means: dict[Metric, float]
    gain: float
    gain_half_width: float


def check_same_stages(runs: Sequence[dict[str, Scores]]) -> None:
    """Check that means over runs can be taken.

    Args:
        runs: Scores by stage of each run.

    Raises:
        ValueError: Runs have different stages, as those with and without CSH have.
    """
    first, *others = map(list, runs)
    if any(other != first for other in others):
        raise ValueError("the runs have different stages, such as with and without CSH: probe them one after the other")


def average_stages(runs: Sequence[dict[str, Scores]], *, splits: Sequence[str]) -> list[StageMean]:
    """Return the means of every stage.

    Args:
        runs: Scores by stage of each run, the prediction last; all with the same stages, see `check_same_stages`.
        splits: Split of each run.
    """
    predicted = _list_values(runs, splits, LAST_STAGE, "hiou")
    means = []
    for stage in runs[0]:
        gains = predicted - _list_values(runs, splits, stage, "hiou")
        means.append(
            StageMean(
                stage,
                {metric: float(_list_values(runs, splits, stage, metric).mean()) for metric in METRICS},
                float(gains.mean()),
                _compute_half_width(gains),
            )
        )
    return means


def _list_values(
    runs: Sequence[dict[str, Scores]], splits: Sequence[str], stage: str, metric: Metric
) -> NDArray[np.float64]:
    """Return the means of a score of a stage on each split, (splits,); on a single split its values, (runs,)."""
    values = np.array([getattr(scores[stage], metric) for scores in runs])
    names = np.array(splits)
    distinct = np.unique(names)
    return values if len(distinct) == 1 else np.array([values[names == name].mean() for name in distinct])


def _compute_half_width(values: NDArray[np.float64]) -> float:
    """Return the half width of the interval of a mean of (n,) values."""
    if len(values) < 2:
        return math.nan
    return compute_t_quantile(len(values) - 1, LEVEL) * float(values.std(ddof=1)) / math.sqrt(len(values))
