"""Checks of what a method returns: losses and predictions."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch

from benchmark.core import method_outputs
from benchmark.core.method import Method
from benchmark.core.method_outputs import (
    _find_problem_of_devices,
    check_losses,
    check_predictions,
    describe_value,
    locate_step,
)
from benchmark.core.types import Batch, Losses, Prediction
from benchmark.wrappers.sliding_window import SlidingWindow

WEIGHT = torch.ones((), requires_grad=True)


class Fixed(Method):
    """Method of which only the location matters."""

    def set_classes(self, names: Any) -> None:
        """Ignore the vocabulary."""

    def losses(self, batch: Batch) -> Losses:
        """Return nothing."""
        return {}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Return nothing."""
        return []


def test_losses_that_cannot_be_minimized_are_refused() -> None:
    for losses, message in (
        ({}, "returned no losses: freeze the parameters"),
        ({"a": torch.ones(2)}, r"loss 'a' has shape \(2,\), expected a scalar"),
        ({1: WEIGHT}, "the name of a loss is 1, expected a text"),
        ({"a": torch.ones((), dtype=torch.long)}, "loss 'a' is torch.int64, expected a floating point number"),
        ({"a": WEIGHT * 1, "b": WEIGHT.to("meta") * 1}, "loss 'b' is on the device 'meta', so it has no value"),
    ):
        with pytest.raises(ValueError, match=message):
            check_losses(losses, Fixed(), iteration=0)


def test_losses_on_two_devices_have_no_sum() -> None:
    problem = _find_problem_of_devices({"a": WEIGHT * 1, "b": WEIGHT.to("meta") * 1})
    assert "'a' on cpu, 'b' on meta" in problem


def test_a_loss_that_is_zero_without_a_gradient_is_allowed() -> None:
    losses = {"a": WEIGHT * 1, "no labeled pixel": torch.zeros(())}
    assert check_losses(losses, Fixed(), iteration=0) == losses


def test_a_batch_needs_as_many_predictions() -> None:
    batch: Any = [{"image_id": "a"}, {"image_id": "b"}]
    with pytest.raises(ValueError, match="returned one prediction for 2 samples"):
        check_predictions([{}], batch, Fixed())


def test_a_step_is_only_located_for_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method_outputs, "locate_step", None)
    batch: Any = [{"image_id": "a", "height": 2, "width": 3}]
    check_predictions([{"sem_seg": torch.zeros(4, 2, 3)}], batch, Fixed())
    check_losses({"a": WEIGHT * 1}, Fixed(), iteration=0)


def test_the_step_of_a_wrapper_is_that_of_its_method() -> None:
    wrapped = SlidingWindow(Fixed(), side=8, stride=8)
    place = locate_step(Fixed(), "predict")
    assert place.startswith("test_method_outputs.py:") and locate_step(wrapped, "predict") == place


def test_the_step_below_a_decorator_is_located(monkeypatch: pytest.MonkeyPatch) -> None:
    place = locate_step(Fixed(), "predict")
    monkeypatch.setattr(Fixed, "predict", torch.no_grad()(Fixed.predict))
    assert locate_step(Fixed(), "predict") == place
    monkeypatch.setattr(Fixed, "predict", functools.partial(Fixed.predict))
    assert locate_step(Fixed(), "predict") == "Fixed.predict"


def test_values_are_described_with_their_size() -> None:
    values: tuple[object, ...] = (None, [1, 2], torch.ones(2, 3), 0.5, {})
    assert [describe_value(value) for value in values] == [
        "None (is a return statement missing?)",
        "a list of length 2",
        "a Tensor of shape (2, 3)",
        "a float",
        "a dict",
    ]
