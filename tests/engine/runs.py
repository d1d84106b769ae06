"""Small runs that the tests of engine and runner have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.core.budget import Budget
from benchmark.core.method import Method
from benchmark.core.run_spec import RunSpec
from benchmark.data.base import Dataset
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import TrainLoader
from benchmark.engine.base import Engine, Observer, Progress
from benchmark.engine.fabric import FabricEngine
from benchmark.planning.resolve import build, resolve, split_of

METHOD = str(Path(__file__).with_name("small_method.py"))


def small_spec(variant: str = "Small", **overrides: Any) -> RunSpec:
    """A run of a second; overrides with two underscores for a dot."""
    dotted: Mapping[str, Any] = {key.replace("__", "."): value for key, value in overrides.items()}
    return resolve(f"{METHOD}/{variant}", split="toybox", seed=3, overrides=dotted, max_images=3)


@cache
def toybox() -> Dataset:
    """One for all tests of a process, as it keeps the scenes it drew."""
    return open_dataset("toybox")


def interrupt() -> None:
    """What Ctrl-C does outside of `stopping.deferring`."""
    raise KeyboardInterrupt


def fit(
    spec: RunSpec,
    checkpoint: Path,
    *,
    stop: int = 0,
    how: Callable[[], None] = interrupt,
    run: str = "",
    every: int = 0,
    workers: int = 0,
    engine: Callable[..., Engine] = FabricEngine,
    watch: Observer = lambda _: None,
) -> Method:
    """Train, or go on; with `stop`, be stopped right after so many iterations; `watch` is told of every one."""
    method, split, budget = build(spec), split_of(spec), Budget(**spec.budget.model_dump())
    data = TrainLoader(
        toybox(), split, protocol=spec.protocol, batch_size=budget.batch_size, seed=spec.seed, workers=workers
    )

    def observe(progress: Progress) -> None:
        watch(progress)
        if progress.done == stop:
            how()

    method.set_classes(split.seen)
    trainer = engine(precision=budget.precision, run=run, checkpoint_every=every, micro_batches=budget.micro_batches)
    trainer.fit(method, data, budget=budget, seed=spec.seed, checkpoint=checkpoint, observe=observe)
    return method


def same_state(one: Method, other: Method) -> bool:
    """Whether every bit of two methods' states is the same."""
    states: list[dict[str, Tensor]] = [one.state_dict(), other.state_dict()]
    assert states[0].keys() == states[1].keys()
    return all(torch.equal(value, states[1][name]) for name, value in states[0].items())
