"""Weights & Biases: a run with the same name, offline unless WANDB_MODE says otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping

import wandb

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.execution.trackers.description import describe_run
from benchmark.store.row_labels import shorten_id
from benchmark.store.run_folder import RunFolder

PROJECT = "chimera-bench"


class WandbTracker:
    """A run of Weights & Biases in the folder `wandb` of a run; attempts at the same run continue it.

    Args:
        run: Folder of the run.
        spec: Spec of the run.
    """

    def __init__(self, run: RunFolder, spec: RunSpec) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        settings = wandb.Settings(
            silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True, x_disable_meta=True
        )
        self._run = wandb.init(
            mode=os.environ.get("WANDB_MODE", "offline"),
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            dir=str(run.path),
            id=shorten_id(run.id),
            name=run.id,
            config=describe_run(spec),
            resume="allow",
            settings=settings,
        )
        self._run.define_metric("*", step_metric="iteration")

    def log(self, iteration: int, values: Mapping[str, float]) -> None:
        """Log values by name."""
        self._run.log({"iteration": iteration, **values})

    def finish(self, state: RunState, scores: Mapping[str, float], *, iterations: int) -> None:
        """Set the scores as the run's summary and close."""
        self._run.summary.update({f"score/{name}": value for name, value in scores.items()})
        self._run.summary.update({"state": str(state)})
        self._run.finish(exit_code=0 if state is RunState.DONE else 1)
