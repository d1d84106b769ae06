"""What happens in one step of training and of evaluation, the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from benchmark.core.budget import Budget
from benchmark.core.method import Method, StepContext
from benchmark.core.seeding import seed_globals
from benchmark.core.types import Batch, Losses, Prediction, Sample
from benchmark.data.loader import TrainLoader
from benchmark.engine.base import Observer, Progress
from benchmark.engine.checkpoint import trainable_state
from benchmark.engine.optimizer import learning_rate
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts


def check_made_for(budget: Budget, *, precision: str, micro_batches: int) -> None:
    """Raises ValueError where a budget is not the one that an engine was made for."""
    given, made_for = (budget.precision, budget.micro_batches), (precision, micro_batches)
    if given != made_for:
        raise ValueError(
            f"precision and micro_batches of the budget are {given}, but this engine was made for {made_for}"
        )


def set_rate(optimizer: torch.optim.Optimizer, *, budget: Budget, iteration: int) -> float:
    """Set the learning rate of an iteration; returns it."""
    rate = learning_rate(budget, iteration)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def set_moment(method: Method, step_context: StepContext) -> None:
    """Set step_context and global random streams for one shard of an iteration."""
    method.step_context = step_context
    seed_globals(step_context.seed, "global", *step_context.rng_key)


def initialize(method: Method, data: TrainLoader, *, budget: Budget, seed: int, device: torch.device) -> None:
    """Let the method look at training images before its first iteration, in eval mode and without gradients.

    Raises:
        ValueError: it changed what no checkpoint holds, so that a resumed run would be another one.
    """
    if not budget.init_images:
        return
    method.eval()
    method.step_context = StepContext(seed, 0, budget.iterations)
    seed_globals(seed, "initialise")
    before = _frozen_versions(method)
    with torch.no_grad():
        method.initialize(to_device(batch, device) for batch in data.initial(budget.init_images))
    lost = [name for name, version in _frozen_versions(method).items() if before.get(name) != version]
    if lost:
        raise ValueError(
            f"initialize changed {', '.join(lost[:3])}, frozen and so in no checkpoint: do not freeze them"
        )


def total(losses: Losses, *, iteration: int) -> Tensor:
    """The sum that is minimised.

    Raises:
        FloatingPointError: a loss is not finite; names iteration and losses.
        ValueError: there are no losses, or one is not a scalar.
    """
    if not losses:
        raise ValueError("a method with trainable parameters gave no losses: freeze them or set budget.iterations=0")
    for name, value in losses.items():
        if value.ndim:
            raise ValueError(f"loss {name!r} has shape {tuple(value.shape)}, expected a scalar: reduce it")
    bad = [f"{name}={value.item()}" for name, value in losses.items() if not torch.isfinite(value)]
    if bad:
        raise FloatingPointError(f"loss is not finite at iteration {iteration}: {', '.join(bad)}")
    return torch.stack(list(losses.values())).sum()


def clip(parameters: Iterable[Tensor], *, norm: float, iteration: int) -> None:
    """Scale gradients down to a norm. Raises FloatingPointError where theirs is not finite."""
    found = torch.nn.utils.clip_grad_norm_(parameters, norm)
    if not torch.isfinite(found):
        raise FloatingPointError(f"the gradient is not finite at iteration {iteration}: its norm is {found.item()}")


def readings(losses: Losses) -> dict[str, float]:
    """The losses as numbers."""
    return {name: float(value.detach()) for name, value in losses.items()}


def predictions(
    predict: Callable[[Batch], list[Prediction]],
    method: Method,
    data: Iterable[tuple[Sample, Tensor]],
    *,
    device: torch.device,
) -> Iterator[tuple[Sample, Prediction, Tensor]]:
    """Sample, prediction and truth of every image, one after the other, each with its own random streams.

    Without gradients; a method that differentiates in `predict` switches them on itself.
    """
    method.eval()
    for sample, truth in data:
        yield sample, answer(predict, method, sample, device=device), truth


def answer(
    predict: Callable[[Batch], list[Prediction]], method: Method, sample: Sample, *, device: torch.device
) -> Prediction:
    """The prediction for one image, with random streams of its own and without gradients."""
    seed_globals(method.step_context.seed, "evaluate", sample["image_id"])
    with torch.no_grad():
        answers = predict(to_device([sample], device))
    if len(answers) != 1:
        raise ValueError(f"{type(method).__name__}.predict gave {len(answers)} predictions for one sample")
    return answers[0]


def count(
    answers: Iterable[tuple[Sample, Prediction, Tensor]], counter: Counter, *, observe: Observer, total: int
) -> Counts:
    """Count the pixels of every answer."""
    for done, (sample, prediction, truth) in enumerate(answers, start=1):
        counter.update(prediction, truth, image_id=sample["image_id"])
        observe(Progress("evaluate", done, total, {}))
    return counter.counts()


def _frozen_versions(method: Method) -> dict[str, tuple[int, int]]:
    """Where each tensor outside the checkpoint lies and how often it was written to."""
    kept = trainable_state(method)
    outside = {name: value for name, value in method.state_dict().items() if name not in kept}
    return {name: (value.data_ptr(), value._version) for name, value in outside.items()}


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with its tensors on a device, pictures as floats and labels as long there."""
    return [_sample_to(sample, device) for sample in batch]


def _sample_to(sample: Sample, device: torch.device) -> Sample:
    moved = sample.copy()
    moved["image"] = sample["image"].to(device, non_blocking=True).float()
    if "sem_seg" in sample:
        moved["sem_seg"] = sample["sem_seg"].to(device, non_blocking=True).long()
    if "unlabelled" in sample:
        moved["unlabelled"] = sample["unlabelled"].to(device, non_blocking=True)
    return moved
