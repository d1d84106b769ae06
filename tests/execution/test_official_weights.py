"""Runs of published checkpoints from the plan to the record, with both engines, killed, repeated and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.engine.base import Progress
from benchmark.engine.checkpoint import read_checkpoint
from benchmark.execution import verify
from benchmark.execution.runner import execute
from benchmark.execution.verify import NotVerifiableError, verify_run
from benchmark.planning.resolve import resolve
from benchmark.qualitative.predict import predict_labels, read_images
from benchmark.store.staleness import find_changes
from benchmark.store.store import Store
from tests.engine.published import build_published, save_official
from tests.engine.runs import METHOD


@pytest.fixture
def official(tmp_path: Path) -> Path:
    return save_official(tmp_path / "official.pth")


def plan(official: Path, *, iterations: int = 0, engine: str = "fabric") -> RunSpec:
    overrides = {"budget.iterations": iterations}
    return resolve(
        METHOD, split="toybox", seed=3, overrides=overrides, max_images=3, weights=str(official), engine=engine
    )


@pytest.mark.parametrize("engine", ["fabric", "detectron2"])
def test_a_published_checkpoint_is_scored_as_it_is(engine: str, official: Path, tmp_path: Path) -> None:
    if engine == "detectron2":
        pytest.importorskip("detectron2")
    spec, store = plan(official, engine=engine), Store(tmp_path / "runs")
    record = execute(spec, store=store)
    assert record.state is RunState.DONE and record.is_deterministic
    assert record.spec.weights is not None
    assert record.inputs[str(official)] == record.spec.weights.sha256
    state, published = read_checkpoint(store.run(spec.id).checkpoint_path)["model"], build_published().state_dict()
    assert all(torch.equal(value, published[name]) for name, value in state.items())
    assert find_changes(record) == ()
    assert "benchmark/core/official_weights.py" in record.code


def test_predictions_are_those_that_were_counted(official: Path, tmp_path: Path) -> None:
    spec, store = plan(official), Store(tmp_path / "runs")
    execute(spec, store=store)
    counts = store.run(spec.id).read_counts()
    (image,) = read_images(spec, counts.image_ids[:1])
    (labels,) = predict_labels(store, spec.id, [image])
    predicted = np.bincount(labels[image.target_map != 255], minlength=len(counts.classes))
    assert predicted.tolist() == counts.prediction[[0]].toarray()[0].tolist()
    store.run(spec.id).checkpoint_path.unlink()  # nothing was trained, so the file alone is enough
    (again,) = predict_labels(store, spec.id, [image])
    assert (labels == again).all()


def test_training_from_a_checkpoint_is_resumed_bit_for_bit(official: Path, tmp_path: Path) -> None:
    spec = plan(official, iterations=6)
    stores = [Store(tmp_path / name) for name in ("stopped", "whole")]

    def stop(progress: Progress) -> None:
        if progress.stage == "train" and progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(spec, store=stores[0], observe=stop, checkpoint_every=2)
    records = [execute(spec, store=store) for store in stores]
    states = [read_checkpoint(store.run(spec.id).checkpoint_path)["model"] for store in stores]
    assert [record.attempts for record in records] == [2, 1]
    assert records[0].counts_digest == records[1].counts_digest
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not torch.equal(states[0]["rows"], build_published().get_parameter("rows"))
    assert torch.equal(states[0]["mean"], build_published().get_buffer("mean"))  # `initialize` did not overwrite it


def test_a_result_is_verified_with_the_same_file_only(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_all(specs: list[RunSpec], *, store: Store, **_: Any) -> None:
        execute(specs[0], store=store)

    monkeypatch.setattr(verify, "run_all", run_all)
    spec, store = plan(official), Store(tmp_path / "runs")
    execute(spec, store=store)
    assert verify_run(spec.id, store).is_identical
    official.write_bytes(official.read_bytes() + b" ")
    with pytest.raises(NotVerifiableError, match=r"input .*official.pth has other content now"):
        verify_run(spec.id, store)


def test_a_file_that_vanishes_before_the_run_fails_it_with_one_line(official: Path, tmp_path: Path) -> None:
    spec = plan(official)
    official.unlink()
    record = execute(spec, store=Store(tmp_path / "runs"))
    assert record.failure is not None
    assert record.failure.message == f"no weights {official}: go to the folder that holds official.pth now"
