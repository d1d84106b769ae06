"""Rules about what training changes: trainable parameters, frozen ones, and nothing else."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from benchmark.contract.comparison import find_difference, find_different_loss, get_versions, predict
from benchmark.contract.culprit import find_culprit, locate_function
from benchmark.contract.rule import BrokenRuleError, Rule, require_training
from benchmark.contract.samples import make_prediction_batch
from benchmark.contract.subject import Subject
from benchmark.core.method import Method
from benchmark.engine.checkpoint import get_trainable_state


def _check_learning(subject: Subject) -> None:
    method = subject.in_training()
    for loss in method.losses(subject.make_training_batch()).values():
        if loss.requires_grad:
            loss.backward(retain_graph=True)
    idle = [name for name, value in method.named_parameters() if value.requires_grad and value.grad is None]
    if idle:
        raise BrokenRuleError(
            f"no loss depends on {_list_names(idle)}: use, remove or freeze it with requires_grad_(False)",
            _locate_attribute(method, idle[0]),
        )


def _check_modes(subject: Subject) -> None:
    method = subject.in_training().eval().train()
    for name, part in method.named_modules():
        parameters = [] if isinstance(part, Method) else list(part.parameters())
        if parameters and part.training and not any(parameter.requires_grad for parameter in parameters):
            raise BrokenRuleError(
                f"{name!r} ({type(part).__name__}) is frozen and in training mode after train(): do not switch modes "
                "yourself and do not override train",
                _locate_attribute(method, name),
            )


def _check_frozen_in_losses(subject: Subject) -> None:
    method, batch = subject.in_training(), subject.make_training_batch()
    before = _copy_frozen(method)
    method.losses(batch)
    _refuse_changes(subject, before, method, step="losses")


def _check_frozen_in_initialize(subject: Subject) -> None:
    method = subject.build()
    method.set_classes(subject.split.seen)
    before = _copy_frozen(method)
    with torch.no_grad():
        method.train().initialize([subject.make_training_batch()])
    _refuse_changes(subject, before, method, step="initialize")


def _refuse_changes(subject: Subject, before: dict[str, Tensor], method: Method, *, step: str) -> None:
    after = _select_frozen(method)
    changed = [name for name, value in before.items() if name not in after or not torch.equal(value, after[name])]
    if not changed:
        return
    fresh, batch = subject.in_training(), subject.make_training_batch()
    work = (lambda: fresh.losses(batch)) if step == "losses" else (lambda: fresh.initialize([batch]))
    place = find_culprit(work, files=subject.files, observe=lambda: get_versions(_select_frozen(fresh)))
    raise BrokenRuleError(
        f"{step} changes {_list_names(changed)}, which is frozen and not in checkpoints, so a resumed run would lose "
        "the change: make it trainable, or a buffer of a module that trains",
        place or locate_function(method, step),
    )


def _check_resume(subject: Subject) -> None:
    """Compare a method that has seen a batch with a copy that has only its checkpoint."""
    going, resumed = subject.in_training(), subject.in_training()
    going.losses(subject.make_training_batch())
    resumed.load_state_dict(get_trainable_state(going), strict=False)
    for method in (going, resumed):
        method.step_context = replace(method.step_context, iteration=method.step_context.iteration + 1)
    batches = [subject.make_training_batch(name="next batch") for _ in range(2)]
    difference = find_different_loss(going.losses(batches[0]), resumed.losses(batches[1]))
    if difference:
        raise BrokenRuleError(
            f"after one more batch a resumed method has other losses than one that was not interrupted ({difference}): "
            "keep what the next iteration needs in a buffer (register_buffer), not in an attribute",
            locate_function(going, "losses"),
        )
    _check_resumed_predictions(subject, going, resumed)


def _check_resumed_predictions(subject: Subject, going: Method, resumed: Method) -> None:
    resumed.load_state_dict(get_trainable_state(going), strict=False)
    for method in (going, resumed):
        method.set_classes(subject.split.classes)
    scores = [predict(method.eval(), make_prediction_batch()) for method in (going, resumed)]
    difference = find_difference(*scores)
    if difference:
        raise BrokenRuleError(
            f"a trained method and one that has only its checkpoint predict differently ({difference}): keep what "
            "predict needs in parameters and buffers (register_buffer), not in attributes",
            locate_function(going, "predict"),
        )


def _copy_frozen(method: Method) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in _select_frozen(method).items()}


def _select_frozen(method: Method) -> dict[str, Tensor]:
    """Return the tensors of the state dict that are not in checkpoints."""
    saved = get_trainable_state(method).keys()
    return {name: value for name, value in method.state_dict().items() if name not in saved}


def _list_names(names: Iterable[str], *, shown: int = 3) -> str:
    listed = [repr(name) for name in names]
    return ", ".join(listed[:shown]) + (f" and {len(listed) - shown} more" if len(listed) > shown else "")


def _locate_attribute(method: Method, name: str) -> str:
    """Return the line that assigns the attribute of a method that holds a parameter or module; else `__init__`."""
    lines, start = inspect.getsourcelines(type(method).__init__)
    attribute = name.partition(".")[0]
    for node in ast.walk(ast.parse(textwrap.dedent("".join(lines)))):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr == attribute:
            file = Path(type(method).__init__.__code__.co_filename)
            return f"{file.name}:{start + node.lineno - 1} (__init__)"
    return locate_function(method, "__init__")


def _require_initialization(subject: Subject) -> str:
    return "" if subject.setup.budget.init_images else "budget.init_images is 0: initialize is not called"


MODES_SENTENCE = (
    "Parameters that do not require gradients are frozen: their modules stay in eval mode, and they are not in "
    "checkpoints."
)
RULES = (
    Rule(
        "parameters-learn",
        "Every parameter that requires gradients influences a loss.",
        _check_learning,
        find_exemption=require_training,
        needs=("loss-values",),
    ),
    Rule("frozen-modes", MODES_SENTENCE, _check_modes, needs=("nothing-overridden",)),
    Rule(
        "frozen-unchanged",
        "The samples and all frozen tensors stay unmodified.",
        _check_frozen_in_losses,
        find_exemption=require_training,
        needs=("loss-values",),
    ),
    Rule(
        "initialize",
        "Initializing changes nothing that is not in checkpoints.",
        _check_frozen_in_initialize,
        find_exemption=_require_initialization,
    ),
    Rule(
        "resume",
        "What training changes is in parameters and buffers, so that a resumed run goes on like an uninterrupted one.",
        _check_resume,
        find_exemption=require_training,
        needs=("own-randomness", "predictions-repeat", "samples-unmodified"),
    ),
)
