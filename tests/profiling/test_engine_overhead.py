"""What an engine adds to a step: a bare loop that does the same work, and times that belong together."""

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
from benchmark.planning.resolve import build, split_of
from benchmark.profiling.engine_overhead import PERIOD, Empty, Overhead, _bare_step, measure
from tests.engine.runs import fit, same_state, small_spec, toybox

BUDGET = Budget(iterations=3 * PERIOD + 1)


class Slow:
    """An engine that takes its time and trains nothing."""

    def fit(self, method: Any, data: TrainLoader, *, budget: Budget, **_: Any) -> None:
        """Twenty milliseconds a step."""
        for _ in data.batches(0, budget.iterations):
            time.sleep(0.02)


def test_the_bare_loop_ends_with_the_same_bits_as_an_engine(tmp_path: Path) -> None:
    spec = small_spec("no drop", budget__init_images=0).model_copy(update={"seed": 0})
    split, budget = split_of(spec), Budget(**spec.budget.model_dump())
    view = TrainLoader(toybox(), split, protocol=spec.protocol, batch_size=budget.batch_size, seed=0)
    bare = build(spec)
    bare.set_classes(split.seen)
    step = _bare_step(bare, budget)
    for iteration, batch in enumerate(view.batches(0, budget.iterations)):
        step(move_to_device(batch, torch.device("cpu")), iteration)
    assert same_state(bare, fit(spec, tmp_path / "checkpoint.pt"))


def test_a_step_that_takes_longer_in_the_engine_is_seen_to() -> None:
    found = measure(Empty(), [[]], engine=cast(Engine, Slow()), budget=BUDGET)
    assert min(found.engine_ms) >= 20
    assert found.added_ms > 10


def test_whole_periods_are_timed_after_one_that_warms_up() -> None:
    found = measure(Empty(), [[]], engine=FabricEngine(), budget=BUDGET)
    assert len(found.bare_ms) == len(found.engine_ms) == 2


def test_steps_are_compared_with_those_beside_them() -> None:
    found = Overhead(bare_ms=(100.0, 200.0, 100.0, 100.0), engine_ms=(101.0, 202.0, 101.0, 300.0))
    assert found.added_ms == pytest.approx(1.5)
    assert found.added_share == pytest.approx(0.01)
    assert found.spread_ms == pytest.approx((1.0, 51.5))


def test_the_method_that_was_given_stays_as_it_is() -> None:
    method = Empty()
    measure(method, [[]], engine=FabricEngine(), budget=BUDGET)
    assert method.number.item() == 1


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="=40: expected at least 41"):
        measure(Empty(), [[]], engine=FabricEngine(), budget=Budget(iterations=2 * PERIOD))


def test_what_the_bare_loop_does_not_do_is_refused() -> None:
    with pytest.raises(ValueError, match="knows only budget"):
        measure(Empty(), [[]], engine=FabricEngine(), budget=BUDGET.model_copy(update={"precision": "bf16-mixed"}))
