"""Checks of what `Method.losses` and `Method.predict` return; a violation names the method's file and line.

Every engine and every wrapper takes the outputs of a method through these checks, so that the same mistake gives the
same message everywhere.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from benchmark.core.lazy_scores import LazyPrediction
from benchmark.core.method import Method
from benchmark.core.types import Batch, Losses, Prediction, Sample
from benchmark.utils.method_names import shorten_path
from benchmark.utils.paths import ROOT

LOSSES = 'a dict of scalar losses by name, such as {"loss": loss}'
PREDICTIONS = 'a list with one dict per sample, [{"sem_seg": scores (K, height, width)}, ...]'


class MethodOutputError(ValueError):
    """A method returned something else than its contract says.

    Args:
        message: One line: what was returned and what was expected.
        place: File, line and function that returned it, such as "my_method.py:30 (predict)".
    """

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


class LossNotFiniteError(MethodOutputError, FloatingPointError):
    """A loss is nan or infinite."""


def locate_step(method: Method, step: str) -> str:
    """Return file, line and name of a function of a method; that of the inner method for one of our wrappers."""
    code = getattr(inspect.unwrap(getattr(type(method), step)), "__code__", None)  # below decorators such as no_grad
    if code is None:
        return f"{type(method).__name__}.{step}"
    inner = getattr(method, "method", None)
    if isinstance(inner, Method) and Path(code.co_filename).is_relative_to(ROOT / "benchmark"):
        return locate_step(inner, step)
    return f"{shorten_path(code.co_filename)}:{code.co_firstlineno} ({step})"


def check_losses(losses: object, method: Method, *, iteration: int) -> Losses:
    """Return the losses of a training step if they are as `Method.losses` says.

    Args:
        losses: Value that the method returned.
        method: Method that returned it.
        iteration: Current iteration, for error messages.

    Raises:
        MethodOutputError: The value is no dict of floating point scalars (), or nothing or a part of it has a gradient.
        LossNotFiniteError: A loss is not finite.
    """
    scalars = _check_scalars(losses, method)
    values = {name: float(value.detach()) for name, value in scalars.items()}
    check_loss_values(values, list_detached(scalars), method, iteration=iteration)
    return scalars


def check_losses_unread(losses: object, method: Method, *, iteration: int) -> Losses:
    """Check losses like `check_losses`, but leave their values to `check_loss_values`: reading waits for the device.

    Args:
        losses: Value that the method returned.
        method: Method that returned it.
        iteration: Current iteration, for error messages.

    Raises:
        MethodOutputError: The value is no dict of floating point scalars (), or nothing has a gradient.
        LossNotFiniteError: No loss has a gradient, and one is not finite.
    """
    scalars = _check_scalars(losses, method)
    if len(list_detached(scalars)) == len(scalars):  # the step ends here, so that its values may be read
        return check_losses(scalars, method, iteration=iteration)
    return scalars


def check_loss_values(
    values: Mapping[str, float], detached: Collection[str], method: Method, *, iteration: int
) -> None:
    """Check the values of losses.

    Args:
        values: Losses by name.
        detached: Names of the losses that have no gradient.
        method: Method that returned the losses.
        iteration: Iteration of the losses, for error messages.

    Raises:
        LossNotFiniteError: A loss is not finite.
        MethodOutputError: No loss has a gradient, or one that is not zero has none.
    """
    bad = [f"{name}={value}" for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise LossNotFiniteError(
            f"loss is not finite at iteration {iteration}: {', '.join(bad)}", locate_step(method, "losses")
        )
    if len(detached) == len(values):
        raise MethodOutputError(
            f"no loss has a gradient ({', '.join(detached)}): compute them from the trainable parameters, without "
            ".detach(), .item() or torch.no_grad()",
            locate_step(method, "losses"),
        )
    wasted = [name for name in detached if values[name]]
    if wasted:
        message = f"loss {wasted[0]!r} has no gradient, so it trains nothing: remove .detach() or leave the loss out"
        raise MethodOutputError(message, locate_step(method, "losses"))


def list_detached(losses: Losses) -> tuple[str, ...]:
    """Return the names of the losses that have no gradient."""
    return tuple(name for name, value in losses.items() if not value.requires_grad)


def check_predictions(predictions: object, batch: Batch, method: Method) -> list[Prediction]:
    """Return the predictions of a batch if they are as `Method.predict` says, values and number of classes aside.

    Args:
        predictions: Value that the method returned.
        batch: B samples that it was given.
        method: Method that returned it.

    Raises:
        MethodOutputError: The value is no list of B dicts with "sem_seg", floats (K, height, width) each.
    """
    problem = _find_problem_of_predictions(predictions, batch)
    if problem:
        raise MethodOutputError(problem, locate_step(method, "predict"))
    return cast(list[Prediction], predictions)


def describe_value(value: object) -> str:
    """Describe a value by its type, and by its shape or length, with an article."""
    if value is None:
        return "None (is a return statement missing?)"
    shape = getattr(value, "shape", None)
    kind = type(value).__name__
    article = "an" if kind[0].lower() in "aeiou" else "a"
    if isinstance(shape, Sequence):
        return f"{article} {kind} of shape {tuple(shape)}"
    return f"{article} {kind} of length {len(value)}" if isinstance(value, list | tuple) else f"{article} {kind}"


def _check_scalars(losses: object, method: Method) -> Losses:
    """Return the losses of a training step if they are scalars by name, on one device."""
    problem = _find_problem_of_losses(losses)
    if problem:
        raise MethodOutputError(problem, locate_step(method, "losses"))
    return cast(Losses, losses)


def _find_problem_of_losses(losses: object) -> str:
    if not isinstance(losses, Mapping):
        return f"returned {describe_value(losses)}, expected {LOSSES}"
    if not losses:
        advice = "freeze the parameters or set budget.iterations=0"
        return f"a method with trainable parameters returned no losses: {advice}"
    problems = [_find_problem_of_loss(name, value) for name, value in losses.items()]
    return next(filter(None, problems), "") or _find_problem_of_devices(losses)


def _find_problem_of_loss(name: object, value: Any) -> str:
    if not isinstance(name, str):
        return f"the name of a loss is {name!r}, expected a text: give each loss a name"
    if not isinstance(value, Tensor):
        return f"loss {name!r} is {describe_value(value)}, expected a tensor of shape () that has a gradient"
    if value.ndim:
        return f"loss {name!r} has shape {tuple(value.shape)}, expected a scalar: reduce it, as with .mean()"
    if not value.is_floating_point():
        return f"loss {name!r} is {value.dtype}, expected a floating point number"
    if value.is_meta:
        return f"loss {name!r} is on the device 'meta', so it has no value: compute it on that of the images"
    return ""


def _find_problem_of_devices(losses: Mapping[str, Tensor]) -> str:
    devices = {str(value.device): name for name, value in losses.items()}
    found = ", ".join(f"{name!r} on {device}" for device, name in devices.items())
    return f"losses are on several devices ({found}): compute all on that of the images" if len(devices) > 1 else ""


def _find_problem_of_predictions(predictions: object, batch: Batch) -> str:
    if not isinstance(predictions, list):
        return f"returned {describe_value(predictions)}, expected {PREDICTIONS}"
    if len(predictions) != len(batch):
        samples = "one sample" if len(batch) == 1 else f"{len(batch)} samples"
        count = "one prediction" if len(predictions) == 1 else f"{len(predictions)} predictions"
        return f"returned {count} for {samples}, expected {PREDICTIONS}"
    for prediction, sample in zip(predictions, batch, strict=True):
        problem = _find_problem_of_prediction(prediction, sample)
        if problem:
            return f"prediction of image {sample['image_id']!r} {problem}"
    return ""


def _find_problem_of_prediction(prediction: object, sample: Sample) -> str:
    if not isinstance(prediction, Mapping):
        return f"is {describe_value(prediction)}, expected a dict with 'sem_seg'"
    if "sem_seg" not in prediction:
        keys = ", ".join(map(repr, prediction)) or "none"
        return f"has no 'sem_seg' (its keys: {keys}): return the scores (K, height, width) under this key"
    size = (sample["height"], sample["width"])
    if isinstance(prediction, LazyPrediction):
        return _find_problem_of_shape(prediction.shape, size)
    scores = prediction["sem_seg"]
    if not isinstance(scores, Tensor):
        return f"has {describe_value(scores)} as 'sem_seg', expected a tensor of floats (K, height, width)"
    if not scores.is_floating_point():
        return f"has {scores.dtype} as 'sem_seg', expected floats: return scores (K, height, width), not a label map"
    if scores.is_meta:
        return "is on the device 'meta', so it has no values: compute scores on the device of the images"
    return _find_problem_of_shape(tuple(scores.shape), size)


def _find_problem_of_shape(shape: tuple[int, ...], size: tuple[int, int]) -> str:
    if len(shape) != 3:
        return f"has shape {shape}, expected (K, height, width): one map of scores for each of the K classes"
    if shape[1:] != size:
        return (
            f"has height and width {shape[1:]}, expected {size}: resize the scores to sample['height'] and "
            "sample['width'] of the sample"
        )
    return ""
