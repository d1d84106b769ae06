"""The last step of a run: the cost of its method, which is bounded, can be switched off, and never costs the result."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmark.core.method import Method
from benchmark.core.run_record import Cost, RunRecord
from benchmark.core.run_state import RunState
from benchmark.core.types import Batch, Prediction
from benchmark.engine.base import Progress
from benchmark.execution import cost_step
from benchmark.execution.runner import execute
from benchmark.planning.resolve import build
from benchmark.store.store import Store
from tests.engine.runs import small_spec

SPEC = small_spec(budget__iterations=2)


def run_and_get_cost(folder: Path, *, measures_cost: bool = True) -> tuple[RunRecord, Cost]:
    record = execute(SPEC, store=Store(folder), measures_cost=measures_cost)
    assert record.state is RunState.DONE and record.cost is not None, record.failure
    return record, record.cost


def test_a_slow_method_predicts_once_more_than_it_has_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, calls = type(build(SPEC)).predict, list[str]()

    def predict(self: Method, batch: Batch) -> list[Prediction]:
        calls.append(batch[0]["image_id"])
        time.sleep(0.1)
        return fast(self, batch)

    monkeypatch.setattr(type(build(SPEC)), "predict", predict)
    images: list[Progress] = []
    record = execute(SPEC, store=Store(tmp_path), observe=images.append)
    assert len(calls) == sum(progress.stage == "evaluate" for progress in images) + 1
    assert record.cost is not None and record.cost.latency_ms is not None and 100 < record.cost.latency_ms < 200


def test_the_step_has_a_name_in_progress_and_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    stages: list[tuple[str, int]] = []
    execute(SPEC, store=Store(tmp_path), observe=lambda progress: stages.append((progress.stage, progress.done)))
    assert stages[-2:] == [("measure cost", 0), ("measure cost", 1)]
    assert "measure cost 0/1" in caplog.text and "measure cost 1/1" in caplog.text


def test_a_switched_off_cost_keeps_what_is_known_anyway(tmp_path: Path) -> None:
    record, cost = run_and_get_cost(tmp_path / "off", measures_cost=False)
    measured_record, measured = run_and_get_cost(tmp_path / "on")
    assert record.counts_digest == measured_record.counts_digest and record.spec.id == measured_record.spec.id
    assert cost.unmeasured == "switched off" and cost.train_seconds > 0 and cost.peak_memory_mb > 0
    assert cost.trainable_parameters == measured.trainable_parameters
    assert cost.inference_flops is cost.training_flops is cost.latency_ms is cost.total_parameters is None


@pytest.mark.parametrize(
    ("error", "reason"), [(RuntimeError("no\nkernel"), "RuntimeError: no kernel"), (KeyboardInterrupt(), "interrupted")]
)
def test_a_cost_that_cannot_be_measured_does_not_cost_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, reason: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cost_step, "measure_cost", fail)
    record, cost = run_and_get_cost(tmp_path)
    assert cost.unmeasured == reason and cost.inference_flops is None and cost.train_seconds > 0
    assert Store(tmp_path).run(SPEC.id).read_counts().digest() == record.counts_digest
