"""Tests of the overhead of an engine: the bare loop does the same work, and times are compared by period."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from benchmark.core.budget import Budget
from benchmark.data.loader import TrainLoader
from benchmark.engine.base import Engine
from benchmark.engine.device import move_to_device
from benchmark.engine.fabric import FabricEngine
from benchmark.planning.resolve import build, load_split_of
from benchmark.profiling.engine_overhead import PERIOD, EmptyMethod, Overhead, _make_bare_step, measure_overhead
from tests.engine.runs import fit, same_state, small_spec, toybox

BUDGET = Budget(iterations=3 * PERIOD + 1)


class SlowEngine:
    """Engine that sleeps instead of training."""

    def fit(self, method: Any, data: TrainLoader, *, budget: Budget, **_: Any) -> None:
        """Sleep for 20 milliseconds per step."""
        for _ in data.batches(0, budget.iterations):
            time.sleep(0.02)


def test_the_bare_loop_gives_the_same_bits_as_an_engine(tmp_path: Path) -> None:
    spec = small_spec("no drop", budget__init_images=0).model_copy(update={"seed": 0})
    split, budget = load_split_of(spec), Budget(**spec.budget.model_dump())
    loader = TrainLoader(toybox(), split, protocol=spec.protocol, batch_size=budget.batch_size, seed=0)
    bare = build(spec)
    bare.set_classes(split.seen)
    step = _make_bare_step(bare, budget)
    for iteration, batch in enumerate(loader.batches(0, budget.iterations)):
        step(move_to_device(batch, torch.device("cpu")), iteration)
    assert same_state(bare, fit(spec, tmp_path / "checkpoint.pt"))


def test_a_slower_engine_has_a_larger_overhead() -> None:
    overhead = measure_overhead(EmptyMethod(), [[]], engine=cast(Engine, SlowEngine()), budget=BUDGET)
    assert min(overhead.engine_ms) >= 20
    assert overhead.added_ms > 10


def test_whole_periods_are_timed_after_one_for_warm_up() -> None:
    overhead = measure_overhead(EmptyMethod(), [[]], engine=FabricEngine(), budget=BUDGET)
    assert len(overhead.bare_ms) == len(overhead.engine_ms) == 2


def test_each_period_is_compared_with_the_bare_loop_of_the_same_period() -> None:
    overhead = Overhead(bare_ms=(100.0, 200.0, 100.0, 100.0), engine_ms=(101.0, 202.0, 101.0, 300.0))
    assert overhead.added_ms == pytest.approx(1.5)
    assert overhead.added_share == pytest.approx(0.01)
    assert overhead.spread_ms == pytest.approx((1.0, 51.5))


def test_the_method_is_not_changed() -> None:
    method = EmptyMethod()
    measure_overhead(method, [[]], engine=FabricEngine(), budget=BUDGET)
    assert method.number.item() == 1


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="=40: expected at least 41"):
        measure_overhead(EmptyMethod(), [[]], engine=FabricEngine(), budget=Budget(iterations=2 * PERIOD))


def test_budgets_that_the_bare_loop_does_not_support_are_refused() -> None:
    with pytest.raises(ValueError, match="supports only budget"):
        measure_overhead(
            EmptyMethod(), [[]], engine=FabricEngine(), budget=BUDGET.model_copy(update={"precision": "bf16-mixed"})
        )
