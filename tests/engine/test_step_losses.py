"""Losses stay on the device between two reads, and a wrong value still ends the training in the name of its step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from benchmark.core.method import Method
from benchmark.core.method_outputs import MethodOutputError
from benchmark.core.types import Batch, Losses
from benchmark.engine import fabric, interrupts, step_losses
from benchmark.engine.base import Progress
from benchmark.engine.checkpoint import read_checkpoint
from benchmark.engine.step_losses import DeviceLosses, LossReader
from benchmark.execution.runner import execute
from benchmark.planning.resolve import build
from benchmark.store.store import Store
from tests.engine.runs import fit, small_spec
from tests.engine.small_method import Small

READS = {"item", "tolist", "cpu", "numpy", "__float__", "__bool__", "__int__", "is_nonzero", "nonzero"}
"""Functions that wait for the device of a tensor."""


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine read the steps of the CPU as seldom as those of a GPU, every five steps."""
    monkeypatch.setattr(step_losses, "STEPS_PER_READ", 5)
    monkeypatch.setattr(fabric, "LossReader", lambda method, _: LossReader(method, torch.device("cuda")))


class ReadCounter(TorchFunctionMode):
    """Collects the iterations in which a value is read from a tensor.

    Args:
        iterations: Iterations so far; the last one is the current one.
    """

    def __init__(self, iterations: list[int]) -> None:
        super().__init__()
        self.iterations, self.found = iterations, set[int]()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in READS and self.iterations:
            self.found.add(self.iterations[-1])
        return func(*args, **(kwargs or {}))


def make_method() -> Method:
    return build(small_spec())


def replace_losses(monkeypatch: pytest.MonkeyPatch, change: Callable[[int, Losses], Losses]) -> None:
    """Let the small method return losses that a function of iteration and losses has changed."""
    original = Small.losses

    def losses(self: Small, batch: Batch) -> Losses:
        return change(self.step_context.iteration, original(self, batch))

    monkeypatch.setattr(type(make_method()), "losses", losses)


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_no_value_is_read_between_two_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, micro_batches: int
) -> None:
    iterations = list[int]()

    def note(iteration: int, losses: Losses) -> Losses:
        iterations.append(iteration)
        return losses

    replace_losses(monkeypatch, note)
    spec = small_spec("no drop", budget__micro_batches=micro_batches, budget__batch_size=4, budget__init_images=0)
    with ReadCounter(iterations) as counter:
        fit(spec, tmp_path / "checkpoint.pt", workers=1)  # a worker process draws the augmentation
    assert iterations[-1] == 11 and counter.found == {4, 9, 11}


def test_losses_that_are_read_late_are_those_of_their_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late, at_once = list[Progress](), list[dict[str, float]]()
    fit(small_spec(), tmp_path / "late.pt", observe=late.append)
    monkeypatch.setattr(fabric, "LossReader", LossReader)
    fit(small_spec(), tmp_path / "at once.pt", observe=lambda progress: at_once.append(dict(progress.losses)))
    assert len(at_once) == 12 and [progress.losses for progress in late] == at_once


def test_losses_that_are_read_late_are_in_the_record_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, late, at_once = small_spec(), Store(tmp_path / "late"), Store(tmp_path / "at once")
    execute(spec, store=late)
    monkeypatch.setattr(fabric, "LossReader", LossReader)
    execute(spec, store=at_once)
    assert late.run(spec.id).read_losses() == at_once.run(spec.id).read_losses()
    assert late.run(spec.id).read_counts().digest() == at_once.run(spec.id).read_counts().digest()


@pytest.mark.parametrize("stop", [0, 4])
def test_a_loss_that_is_not_finite_is_named_with_its_step_and_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    replace_losses(
        monkeypatch,
        lambda iteration, losses: losses | ({"remember": losses["remember"] * torch.inf} if iteration == 2 else {}),
    )
    with pytest.raises(FloatingPointError, match="loss is not finite at iteration 2: remember=inf"):
        fit(small_spec(), tmp_path / "checkpoint.pt", every=2, stop_after=stop, stop=interrupts.request_stop)
    assert read_checkpoint(tmp_path / "checkpoint.pt")["iteration"] == 2


def test_an_observer_does_not_see_a_loss_that_is_not_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_losses(monkeypatch, lambda iteration, losses: {"a": losses["classify"] / (iteration != 1)})
    seen = list[dict[str, float]]()
    with pytest.raises(FloatingPointError, match="iteration 1: a=inf"):
        fit(small_spec(), tmp_path / "checkpoint.pt", observe=lambda progress: seen.append(dict(progress.losses)))
    assert len(seen) == 1


def test_a_gradient_that_is_not_finite_is_named_with_its_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_gradient(iteration: int, losses: Losses) -> Losses:
        root = (losses["classify"] * (iteration != 3)).sqrt()  # the slope of a root is infinite at 0
        return losses | {"root": root}

    replace_losses(monkeypatch, break_gradient)
    with pytest.raises(FloatingPointError, match="gradient is not finite at iteration 3: its norm is nan"):
        fit(small_spec(), tmp_path / "checkpoint.pt")


def test_a_loss_that_trains_nothing_is_found_when_it_is_read() -> None:
    reader = LossReader(make_method(), torch.device("cpu"))
    reader.add(0, [DeviceLosses(("a", "b"), Tensor([1.0, 2.0]), ("b",))])
    with pytest.raises(MethodOutputError, match="loss 'b' has no gradient"):
        reader.add_norm(torch.ones(()))
