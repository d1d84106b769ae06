"""Weights & Biases and MLflow, if they are installed: what they write without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.run_state import RunState
from benchmark.execution.trackers.tracker import KINDS
from benchmark.store.run_folder import RunFolder
from tests.report.world import spec_of

SPEC = spec_of(seed=3, overrides={"text": "long"})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """Return the folder of a run; nothing in the environment tells a tracker to use a network."""
    for name in ("WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    folder = RunFolder(tmp_path / SPEC.id)
    folder.path.mkdir()
    return folder


def track(run: RunFolder, name: str, state: RunState) -> None:
    """Track two steps and a result."""
    tracker = KINDS[name].open(run, SPEC)
    for step in range(2):
        tracker.log(step, {"loss/a": 1.0 - step / 4, "learning_rate": 0.1})
    tracker.finish(state, {"hiou": 42.5} if state is RunState.DONE else {}, iterations=2)


def test_wandb_writes_an_offline_run_into_the_folder_of_the_run(run: RunFolder) -> None:
    pytest.importorskip("wandb", reason="Weights & Biases is not installed")
    track(run, "wandb", RunState.DONE)
    (file,) = run.path.glob("wandb/offline-run-*/run-*.wandb")
    content = file.read_bytes()
    assert all(text.encode() in content for text in (run.id, "loss/a", "learning_rate", "score/hiou", "42.5"))


@pytest.mark.parametrize(("state", "status"), [(RunState.DONE, "FINISHED"), (RunState.INTERRUPTED, "KILLED")])
def test_mlflow_writes_files_next_to_the_runs(run: RunFolder, state: RunState, status: str) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed")
    from mlflow import MlflowClient

    track(run, "mlflow", state)
    client = MlflowClient(tracking_uri=(run.path.parent / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("chimera-bench")
    (found,) = client.search_runs([experiment.experiment_id])
    assert (found.info.run_name, found.info.status) == (run.id, status)
    assert [(metric.step, metric.value) for metric in client.get_metric_history(found.info.run_id, "loss/a")] == [
        (0, 1.0),
        (1, 0.75),
    ]
    assert found.data.metrics.get("score/hiou") == (42.5 if state is RunState.DONE else None)
    assert found.data.params["seed"] == "3" and found.data.params["text"] == "long"
