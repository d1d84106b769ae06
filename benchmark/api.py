"""The one import of a method file: `from benchmark.api import ...`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Method, Recipe, Supervision, Traits
from benchmark.core.split import Split
from benchmark.core.train_split import TrainSplit
from benchmark.core.types import Batch, Losses, Prediction, Sample

if TYPE_CHECKING:
    from pandas import DataFrame

    from benchmark.evaluation.scores import Convention

__all__ = [
    "Batch",
    "Budget",
    "Config",
    "Losses",
    "Method",
    "Prediction",
    "Recipe",
    "Sample",
    "Split",
    "Supervision",
    "TrainSplit",
    "Traits",
    "load_results",
]


def load_results(study: str, *, runs: Path | str = "runs", convention: Convention = "d2-main") -> DataFrame:
    """Load the results of a study as a tidy data frame: one row per run and metric.

    Example:
        >>> results = load_results("demo")
        >>> hiou = results[results["metric"] == "hiou"]
        >>> hiou.groupby("row", sort=False)["value"].mean().round(1).to_dict()
        {'paper': 53.0, 'no SGD': 37.1}

    Args:
        study: Name of the study, as last planned or run.
        runs: Folder that holds the runs.
        convention: Treatment of classes without ground truth: "d2-main", "d2-0.6" or "mmseg".

    Returns:
        The columns study, row, method, variant, split, protocol, engine, seed, run_id, state, problem, stale,
        code_digest, commit, device, counts_digest, convention, metric and value. Metrics are miou_seen, miou_unseen,
        miou, hiou, pixel_accuracy and iou/CLASS in percent, and the costs of a method. A run without a result has its
        state, the reason as its problem, and nan values.

    Raises:
        KeyError: The study was never planned in this folder.
        ValueError: The convention is unknown, or the plan is broken.
    """
    from benchmark.report import frame

    return frame.load_results(study, runs=runs, convention=convention)
