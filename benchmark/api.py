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


def load_results(
    *names: str, split: str = "", runs: Path | str | None = None, convention: Convention = "d2-main"
) -> DataFrame:
    """Load the results of studies, methods and runs as a tidy data frame: one line per run, class and metric.

    Example:
        >>> results = load_results("demo")
        >>> hiou = results[results["metric"] == "hiou"]
        >>> hiou.groupby("row", sort=False)["value"].mean().round(1).to_dict()
        {'paper': 53.0, 'no SGD': 37.1}

    Args:
        names: Studies as last planned or run, METHOD or METHOD/VARIANT, ids of runs or unambiguous parts of ids, also
            mixed. `chimera-bench table` and `chimera-bench export` take the same names.
        split: Only split to take; if empty, all.
        runs: Folder that holds the runs; if None, that of the environment variable CHIMERA_BENCH_RUNS, or "runs".
        convention: Treatment of classes without ground truth: "d2-main", "d2-0.6" or "mmseg".

    Returns:
        The columns study (that of the row or the name that it was given by; several with commas), row, method, variant,
        overrides (JSON), split, protocol, max_images (0 for all), engine, seed, run_id, state, problem, stale, changes,
        code_digest, commit, device, counts_digest, convention, class, seen, metric and value. Lines without a class
        hold miou_seen, miou_unseen, miou, hiou and pixel_accuracy in percent and the costs of a method; lines of a
        class hold iou, precision and recall in percent and target_pixels, predicted_pixels and correct_pixels. A run
        without a result has its state, the reason as its problem, and nan values.

    Raises:
        KeyError: A name stands for nothing in this folder.
        ValueError: No name is given, the convention is unknown, or a plan is broken.
    """
    from benchmark.planning.registry import list_variants
    from benchmark.report.export import load_frame
    from benchmark.report.named_rows import make_plan
    from benchmark.store.store import Store
    from benchmark.utils.paths import find_runs_folder

    if not names:
        raise ValueError("load_results needs a name: a study, a method or the id of a run")
    store = Store(find_runs_folder() if runs is None else runs)
    plan = make_plan(store, names, split=split, list_variants=list_variants)
    return load_frame(store, plan, convention=convention)
