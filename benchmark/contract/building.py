"""Rule about `Recipe.build`: it makes a method from a config and what it may know about the split."""

from __future__ import annotations

from benchmark.contract.rule import BrokenRuleError, Rule
from benchmark.contract.subject import Subject
from benchmark.core.method import Method
from benchmark.core.method_outputs import describe_value


def _check_build(subject: Subject) -> None:
    method = subject.build()
    if not isinstance(method, Method):
        raise BrokenRuleError(f"build returned {describe_value(method)}, expected a Method: return it")
    method.set_classes(subject.split.seen)


SENTENCE = "Function that makes the method from a config and what it may know about a split"
RULES = (Rule("build", SENTENCE, _check_build),)
