"""Small runs shared by the tests of the engines and of the execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.core.method import Method
from benchmark.core.run_spec import RunSpec
from benchmark.data.base import Dataset
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import TrainLoader
from benchmark.engine.base import Engine, Observer, Progress
from benchmark.engine.fabric import FabricEngine
from benchmark.planning.resolve import build, load_split_of, resolve

METHOD = str(Path(__file__).with_name("small_method.py"))


def small_spec(variant: str = "Small", **overrides: Any) -> RunSpec:
    """Return the spec of a run that takes a second; two underscores in an override stand for a dot."""
    dotted: Mapping[str, Any] = {key.replace("__", "."): value for key, value in overrides.items()}
    return resolve(f"{METHOD}/{variant}", split="toybox", seed=3, overrides=dotted, max_images=3)


@cache
def toybox() -> Dataset:
    """Open the toybox once per process, as it keeps the scenes it has drawn."""
    return open_dataset("toybox")


def interrupt() -> None:
    """Raise KeyboardInterrupt, like Ctrl-C does outside of `interrupts.defer_stop`."""
    raise KeyboardInterrupt


def fit(
    spec: RunSpec,
    checkpoint: Path,
    *,
    stop_after: int = 0,
    stop: Callable[[], None] = interrupt,
    run: str = "",
    every: int = 0,
    workers: int = 0,
    engine: Callable[..., Engine] = FabricEngine,
    observe: Observer = lambda _: None,
) -> Method:
    """Train or resume a run.

    Args:
        spec: Spec of the run.
        checkpoint: Path of the checkpoint file.
        stop_after: Iteration after which `stop` is called; 0 for none.
        stop: Function that stops the run.
        run: Digest of the spec in the checkpoint.
        every: Iterations between two checkpoints.
        workers: Data-loading workers.
        engine: Class of the engine.
        observe: Function that is called after every iteration.
    """
    method, split, budget = build(spec), load_split_of(spec), spec.budget
    data = TrainLoader(
        toybox(), split, protocol=spec.protocol, batch_size=budget.batch_size, seed=spec.seed, workers=workers
    )

    def observe_and_stop(progress: Progress) -> None:
        observe(progress)
        if progress.done == stop_after:
            stop()

    method.set_classes(split.seen)
    trainer = engine(precision=budget.precision, run=run, checkpoint_every=every, micro_batches=budget.micro_batches)
    trainer.fit(method, data, budget=budget, seed=spec.seed, checkpoint=checkpoint, observe=observe_and_stop)
    return method


def same_state(first: Method, second: Method) -> bool:
    """Return whether the states of two methods are equal, bit for bit."""
    states: list[dict[str, Tensor]] = [first.state_dict(), second.state_dict()]
    assert states[0].keys() == states[1].keys()
    return all(torch.equal(value, states[1][name]) for name, value in states[0].items())
