"""Rules about what `losses` returns."""

from __future__ import annotations

import torch

from benchmark.contract.comparison import GENERATORS, find_different_loss, get_random_states
from benchmark.contract.culprit import find_culprit, locate_function
from benchmark.contract.rule import BrokenRuleError, Rule, require_training
from benchmark.contract.subject import Subject
from benchmark.core.method import Method
from benchmark.core.method_outputs import MethodOutputError, check_losses, describe_value
from benchmark.core.seeding import seed_globals
from benchmark.core.types import Batch, get_ignore_label


def _check_values(subject: Subject) -> None:
    method = subject.in_training()
    check_losses(method.losses(subject.make_training_batch()), method, iteration=3)
    try:
        check_losses(method.losses(_make_half_labeled_batch(subject)), method, iteration=3)
    except MethodOutputError as error:
        raise BrokenRuleError(
            f"{error} for a batch with an image without labels: average over the labeled pixels of the whole batch, "
            "and return 0 if there are none",
            error.place,
        ) from error


def _make_half_labeled_batch(subject: Subject) -> Batch:
    """Return a batch whose second image has no labels: it shows nothing but unseen classes."""
    batch = subject.make_training_batch()
    batch[1]["sem_seg"] = torch.full_like(batch[1]["sem_seg"], get_ignore_label(len(subject.split.seen)))
    return batch


def _check_absence(subject: Subject) -> None:
    method = subject.in_training()
    losses = method.losses(subject.make_training_batch())
    if losses != {}:
        raise BrokenRuleError(
            f"budget.iterations is 0, and losses returned {describe_value(losses)}: return {{}}, or set iterations to "
            "train",
            locate_function(method, "losses"),
        )


def _check_trainability(subject: Subject) -> None:
    method, iterations = subject.in_training(), subject.setup.budget.iterations
    trainable = [name for name, parameter in method.named_parameters() if parameter.requires_grad]
    if bool(trainable) == bool(iterations):
        return
    problem = f"{trainable[0]!r} requires gradients" if trainable else "no parameter requires gradients"
    advice = "freeze it with requires_grad_(False)" if trainable else "make parameters trainable, or set iterations=0"
    raise BrokenRuleError(
        f"budget.iterations is {iterations}, and {problem}: {advice}", locate_function(method, "__init__")
    )


def _check_randomness(subject: Subject) -> None:
    first, second, batch = subject.in_training(), subject.in_training(), subject.make_training_batch()
    seed_globals("one stream")
    losses = first.losses(batch)
    seed_globals("another stream")
    difference = find_different_loss(losses, second.losses(subject.make_training_batch()))
    if difference:
        raise BrokenRuleError(
            f"the same iteration gives other losses after another use of the global generators ({difference})"
            f"{_name_generators(subject)}: draw with generator=self.step_context.generator(...), "
            "and in place of nn.Dropout multiply by a mask that is drawn so",
            locate_random_draw(subject, subject.in_training(), batch),
        )


def _name_generators(subject: Subject) -> str:
    before = get_random_states()
    subject.in_training().losses(subject.make_training_batch())
    used = [name for name, a, b in zip(GENERATORS, before, get_random_states(), strict=True) if a != b]
    return f", drawn from the one of {' and '.join(used)}" if used else ""


def locate_random_draw(subject: Subject, method: Method, batch: Batch) -> str:
    """Return the line of a method's files that draws from a global generator, or else its function."""
    place = find_culprit(lambda: method(batch), files=subject.files, observe=get_random_states)
    return place or locate_function(method, "losses" if method.training else "predict")


def _check_forward(subject: Subject) -> None:
    method = subject.in_training()
    if type(method).forward is not Method.forward:
        raise BrokenRuleError(
            "forward is overridden: remove it, and compute losses in losses and predictions in predict",
            locate_function(method, "forward"),
        )
    if type(method).train is not Method.train:
        raise BrokenRuleError(
            "train is overridden: remove it; frozen modules stay in eval mode without it",
            locate_function(method, "train"),
        )


def _require_no_training(subject: Subject) -> str:
    iterations = subject.setup.budget.iterations
    return f"budget.iterations is {iterations}" if iterations else ""


OVERRIDES_SENTENCE = "Concrete methods define the three abstract methods and override no other concrete one."
RULES = (
    Rule("nothing-overridden", OVERRIDES_SENTENCE, _check_forward),
    Rule(
        "trainable-if-trained",
        "A parameter requires gradients if and only if the budget has iterations.",
        _check_trainability,
    ),
    Rule(
        "loss-values",
        "Each loss is a finite scalar of shape (), also if only some pixels are labeled, and already weighted.",
        _check_values,
        find_exemption=require_training,
        needs=("nothing-overridden", "trainable-if-trained"),
    ),
    Rule(
        "no-losses",
        "Scalar losses by name; an empty dict if and only if the budget has no iterations.",
        _check_absence,
        find_exemption=_require_no_training,
    ),
    Rule(
        "own-randomness",
        "Random draws come from `self.step_context.generator`, never from the global generators",
        _check_randomness,
        find_exemption=require_training,
        needs=("loss-values",),
    ),
)
