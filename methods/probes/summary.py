"""Scores of the stages of Chimera-Seg over several runs."""

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
    """Scores of a stage in percent, means over runs.

    Attributes:
        stage: Name of the stage.
        means: Mean by metric.
        gain: Mean of what hIoU gains from this stage to the prediction.
        gain_half_width: Half width of the 95 % interval of that mean (Student's t over the runs); nan for one run. It
            covers other runs like these, such as on other splits, and not other images.
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


def average_stages(runs: Sequence[dict[str, Scores]]) -> list[StageMean]:
    """Return the means of every stage over runs.

    Args:
        runs: Scores by stage of each run, the prediction last; all with the same stages, see `check_same_stages`.
    """
    predicted = _list_values(runs, LAST_STAGE, "hiou")
    means = []
    for stage in runs[0]:
        gains = predicted - _list_values(runs, stage, "hiou")
        means.append(
            StageMean(
                stage,
                {metric: float(_list_values(runs, stage, metric).mean()) for metric in METRICS},
                float(gains.mean()),
                _compute_half_width(gains),
            )
        )
    return means


def _list_values(runs: Sequence[dict[str, Scores]], stage: str, metric: Metric) -> NDArray[np.float64]:
    """Return a score of a stage in each run, (runs,)."""
    return np.array([getattr(scores[stage], metric) for scores in runs])


def _compute_half_width(values: NDArray[np.float64]) -> float:
    """Return the half width of the interval of a mean of (runs,) values."""
    if len(values) < 2:
        return math.nan
    return compute_t_quantile(len(values) - 1, LEVEL) * float(values.std(ddof=1)) / math.sqrt(len(values))
