"""A rule of the contract, and what checking it gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from benchmark.contract.subject import Subject


class RuleState(StrEnum):
    """Result of a check."""

    OK = "ok"
    BROKEN = "broken"
    NOT_APPLICABLE = "not applicable"
    NOT_CHECKED = "not checked"
    """Another broken rule prevents the check."""


class BrokenRuleError(Exception):
    """A method breaks a rule.

    Args:
        message: What was seen and what to do, in one line.
        place: File, line and function of the method, such as "my_method.py:30 (predict)".
    """

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


def require_nothing(_subject: Subject) -> str:
    """Return no reason against a rule: it applies to every method."""
    return ""


def require_training(subject: Subject) -> str:
    """Return why a rule about training does not apply; empty if it does."""
    return "" if subject.setup.budget.iterations else "budget.iterations is 0: nothing is trained"


@dataclass(frozen=True)
class Rule:
    """One rule of the contract.

    Attributes:
        name: Short name.
        sentence: Sentence of the docstrings of `Method` that states the rule.
        check: Function that raises `BrokenRuleError`, or any error of the method itself, if the rule is broken.
        find_exemption: Function that returns why the rule does not apply to a method; empty if it applies.
        needs: Names of earlier rules without which the check would only repeat what they found.
    """

    name: str
    sentence: str
    check: Callable[[Subject], None]
    find_exemption: Callable[[Subject], str] = require_nothing
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuleOutcome:
    """Result of checking one rule.

    Attributes:
        rule: Name of the rule.
        sentence: Sentence that states the rule.
        state: Result of the check.
        reason: What was seen and what to do, or why the rule was not checked; empty if the rule is kept.
        place: File, line and function of the method; empty if unknown.
    """

    rule: str
    sentence: str
    state: RuleState
    reason: str = ""
    place: str = ""
