"""Rules about what training changes: trainable parameters, frozen ones, and nothing else."""

from __future__ import annotations

import ast
import inspect
import textwrap
from pathlib import Path

import torch
from torch import Tensor

from benchmark.contract.culprit import find_culprit, locate_function
from benchmark.contract.frozen import copy_frozen, list_names, refuse_changes
from benchmark.contract.predictions import UNMODIFIED_SENTENCE
from benchmark.contract.rule import BrokenRuleError, Rule, require_training
from benchmark.contract.subject import Subject
from benchmark.core.frozen_modules import find_frozen_modules
from benchmark.core.method import Method
from benchmark.engine.checkpoint import digest_state


def _check_learning(subject: Subject) -> None:
    method = subject.in_training()
    for moment in (method.step_context, *subject.list_moments()):
        idle = [name for name, value in method.named_parameters() if value.requires_grad and value.grad is None]
        if not idle:
            return
        method.step_context = moment
        for loss in method.losses(subject.make_training_batch()).values():
            if loss.requires_grad:
                loss.backward(retain_graph=True)
    idle = [name for name, value in method.named_parameters() if value.requires_grad and value.grad is None]
    if idle:
        raise BrokenRuleError(
            f"no loss depends on {list_names(idle)}, neither in the first nor in the last iteration: use, remove or "
            "freeze it with requires_grad_(False)",
            _locate_attribute(method, idle[0]),
        )


def _check_modes(subject: Subject) -> None:
    method = subject.in_training().eval().train()
    frozen = find_frozen_modules(method)
    for name, part in method.named_modules():
        if part in frozen and part.training and not isinstance(part, Method):
            raise BrokenRuleError(
                f"{name!r} ({type(part).__name__}) is frozen and in training mode after train(): do not switch modes "
                "yourself and do not override train",
                _locate_attribute(method, name),
            )


def _check_frozen_in_losses(subject: Subject) -> None:
    method, batch = subject.in_training(), subject.make_training_batch()
    before, trained = copy_frozen(method), _copy_trained(method)
    method.losses(batch)
    refuse_changes(subject, before, method, step="losses")
    now = _copy_trained(method)
    changed = [name for name, value in trained.items() if name in now and not torch.equal(value, now[name])]
    if changed:
        fresh = subject.in_training()
        place = find_culprit(lambda: fresh.losses(batch), files=subject.files, observe=lambda: digest_state(fresh))
        raise BrokenRuleError(
            f"losses changes {list_names(changed)}, which the optimizer trains: leave changes of parameters to the "
            "optimizer, and keep running values in buffers (register_buffer)",
            place or locate_function(method, "losses"),
        )


def _copy_trained(method: Method) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in method.named_parameters() if value.requires_grad}


def _locate_attribute(method: Method, name: str) -> str:
    """Return the line that assigns the attribute of a method that holds a parameter or module; else `__init__`."""
    lines, start = inspect.getsourcelines(type(method).__init__)
    attribute = name.partition(".")[0]
    for node in ast.walk(ast.parse(textwrap.dedent("".join(lines)))):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr == attribute:
            file = Path(type(method).__init__.__code__.co_filename)
            return f"{file.name}:{start + node.lineno - 1} (__init__)"
    return locate_function(method, "__init__")


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
        UNMODIFIED_SENTENCE,
        _check_frozen_in_losses,
        find_exemption=require_training,
        needs=("loss-values",),
    ),
)
