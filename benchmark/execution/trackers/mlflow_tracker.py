"""MLflow: an MLflow run per attempt, in files next to the runs unless MLFLOW_TRACKING_URI says otherwise."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when the package is imported
os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # files, as a database on a network file system is not safe

from mlflow import MlflowClient
from mlflow.entities import Metric

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.execution.trackers.description import describe_run
from benchmark.store.run_folder import RunFolder

EXPERIMENT = "chimera-bench"
FOLDER = "mlruns"
STATUS = {RunState.DONE: "FINISHED", RunState.FAILED: "FAILED", RunState.INTERRUPTED: "KILLED"}


class MlflowTracker:
    """An MLflow run that is named like the run.

    Args:
        run: Folder of the run.
        spec: Spec of the run.
    """

    def __init__(self, run: RunFolder, spec: RunSpec) -> None:
        folder = run.path.parent.absolute() / FOLDER
        self._client = MlflowClient(tracking_uri=os.environ.get("MLFLOW_TRACKING_URI") or folder.as_uri())
        with _one_at_a_time(folder):
            experiment = self._client.get_experiment_by_name(EXPERIMENT)
            number = experiment.experiment_id if experiment else self._client.create_experiment(EXPERIMENT)
        tags = {"run_id": run.id, "folder": str(run.path.absolute())}
        self._id = self._client.create_run(number, run_name=run.id, tags=tags).info.run_id
        for name, value in describe_run(spec).items():
            self._client.log_param(self._id, name, value)

    def log(self, iteration: int, values: Mapping[str, float]) -> None:
        """Log values by name."""
        now_ms = int(time.time() * 1000)
        metrics = [Metric(name, value, now_ms, iteration) for name, value in values.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def finish(self, state: RunState, scores: Mapping[str, float], *, iterations: int) -> None:
        """Log the scores and close."""
        if scores:
            self.log(iterations, {f"score/{name}": value for name, value in scores.items()})
        self._client.set_terminated(self._id, STATUS[state])


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time look for the experiment and create it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
