"""Rules about making a method: `Recipe.build`, and `Method.initialize`."""

from __future__ import annotations

import inspect

import torch

from benchmark.contract.comparison import copy_state, list_changes
from benchmark.contract.frozen import copy_frozen, refuse_changes
from benchmark.contract.rule import BrokenRuleError, Rule
from benchmark.contract.subject import Subject
from benchmark.core.method import Method
from benchmark.core.method_outputs import describe_value
from benchmark.utils.method_names import shorten_path


def _check_build(subject: Subject) -> None:
    setup = subject.setup
    _check_signature(subject)
    setup.config.check_plan(setup.budget)
    method = subject.build()
    if not isinstance(method, Method):
        raise BrokenRuleError(
            f"build returned {describe_value(method)}, expected a Method: return it", _locate(subject)
        )
    _check_repetition(subject, method)
    method.set_classes(subject.split.seen)


def _check_signature(subject: Subject) -> None:
    signature = inspect.signature(subject.setup.recipe.build)
    try:
        signature.bind("config", "split")
    except TypeError as error:
        raise BrokenRuleError(f"build takes {signature}, expected build(config, split)", _locate(subject)) from error


def _check_repetition(subject: Subject, method: Method) -> None:
    different = list_changes(copy_state(method), subject.as_built())
    if different:
        raise BrokenRuleError(
            f"two methods built with one seed have different values of {', '.join(map(repr, different[:3]))}: draw "
            "initial values from the generator of torch, which is seeded before build, and use nothing else that "
            "changes, such as os.urandom, the time, or the address of an object in its str()",
            _locate(subject),
        )


def _locate(subject: Subject) -> str:
    code = getattr(inspect.unwrap(subject.setup.recipe.build), "__code__", None)
    return f"{shorten_path(code.co_filename)}:{code.co_firstlineno} (build)" if code else ""


def _check_initialize(subject: Subject) -> None:
    method = subject.before_training()
    before = copy_frozen(method)
    with torch.no_grad():
        method.train().initialize([subject.make_training_batch()])
    refuse_changes(subject, before, method, step="initialize")


def _require_initialization(subject: Subject) -> str:
    return "" if subject.setup.budget.init_images else "budget.init_images is 0: initialize is not called"


RULES = (
    Rule("build", "Function that makes the method from a config and what it may know about a split", _check_build),
    Rule(
        "initialize",
        "Initializing changes nothing that is not in checkpoints.",
        _check_initialize,
        find_exemption=_require_initialization,
    ),
)
