"""Rule about resumed runs: the checkpoint holds all that training and `initialize` have changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from benchmark.contract.comparison import find_difference, find_different_loss, predict
from benchmark.contract.culprit import locate_function
from benchmark.contract.rule import BrokenRuleError, Rule, require_training
from benchmark.contract.subject import Subject
from benchmark.core.method import Method
from benchmark.core.trainable_state import get_trainable_state
from benchmark.engine.checkpoint import list_misfits

LOSSES_ADVICE = "keep what the next iteration needs in a buffer (register_buffer), not in an attribute"
INITIALIZE_ADVICE = "a resumed run does not call initialize again: keep what it finds in a buffer (register_buffer)"


def _check_resume(subject: Subject) -> None:
    """Compare a method that has seen a batch with a newly built one that has only its checkpoint."""
    going, resumed = _train(subject), subject.as_resumed()
    _load(resumed, going)
    difference = _compare_next_losses(subject, going, resumed)
    if difference:
        step = _find_step(subject, lambda going, copy: _compare_next_losses(subject, going, copy), default="losses")
        raise BrokenRuleError(
            f"after one more batch a resumed method has other losses than one that was not interrupted ({difference}): "
            f"{INITIALIZE_ADVICE if step == 'initialize' else LOSSES_ADVICE}",
            locate_function(going, step),
        )
    _check_predictions(subject, going, resumed)
    _train_longer(subject, going)
    _load(resumed, going)


def _check_predictions(subject: Subject, going: Method, resumed: Method) -> None:
    _load(resumed, going)
    difference = _compare_predictions(subject, going, resumed)
    if difference:
        step = _find_step(subject, lambda going, copy: _compare_predictions(subject, going, copy), default="predict")
        advice = "keep what predict needs in parameters and buffers (register_buffer), not in attributes"
        raise BrokenRuleError(
            f"a trained method and one that has only its checkpoint predict differently ({difference}): "
            f"{INITIALIZE_ADVICE if step == 'initialize' else advice}",
            locate_function(going, step),
        )


def _train(subject: Subject) -> Method:
    method = subject.in_training()
    method.losses(subject.make_training_batch())
    return method


def _train_longer(subject: Subject, method: Method) -> None:
    """Train a method in the first, a middle and the last iteration, as some create parameters only then."""
    method.set_classes(subject.split.seen)
    method.train()
    for moment in subject.list_moments():
        method.step_context = moment
        method.losses(subject.make_training_batch())


def _load(method: Method, going: Method) -> None:
    """Load the checkpoint of a method into another one as a resumed run does."""
    state = get_trainable_state(going)
    misfits = list_misfits(method, state)
    if misfits:
        is_parameter = set(dict(going.named_parameters())) & {misfit.name for misfit in misfits}
        untrained = ", and the optimizer does not train it" if is_parameter else ""
        raise BrokenRuleError(
            f"the checkpoint of a trained method does not fit a newly built one ({misfits[0]}), so a run cannot "
            f"be resumed{untrained}: create it in __init__, with its final shape",
            locate_function(going, "losses"),
        )
    method.load_state_dict(state, strict=False)


def _compare_next_losses(subject: Subject, *methods: Method) -> str:
    """Return how the losses of two methods differ in the next iteration, in words; empty if they do not."""
    losses = []
    for method in methods:
        method.step_context = replace(method.step_context, iteration=method.step_context.iteration + 1)
        losses.append(method.losses(subject.make_training_batch(name="next batch")))
    return find_different_loss(*losses)


def _compare_predictions(subject: Subject, *methods: Method) -> str:
    """Return how the predictions of two methods differ, in words; empty if they do not."""
    scores = list[list[Tensor]]()
    for method in methods:
        method.set_classes(subject.split.classes)
        scores.append(predict(method.eval(), subject.make_prediction_batch()))
    return find_difference(*scores)


def _find_step(subject: Subject, compare: Callable[[Method, Method], str], *, default: str) -> str:
    """Return "initialize" if an initialized method has no difference to a trained one, else the default."""
    going, initialized = _train(subject), subject.in_training()
    _load(initialized, going)
    return default if compare(going, initialized) else "initialize"


RULES = (
    Rule(
        "resume",
        "What training changes is in parameters and buffers, so that a resumed run goes on like an uninterrupted one.",
        _check_resume,
        find_exemption=require_training,
        needs=("own-randomness", "predictions-repeat", "samples-unmodified"),
    ),
)
