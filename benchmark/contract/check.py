"""Checks of variants against all rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.contract.errors import describe_error
from benchmark.contract.rule import Rule, RuleOutcome, RuleState
from benchmark.contract.rules import RULES
from benchmark.contract.split_files import watch_split_files
from benchmark.contract.subject import Subject
from benchmark.core.split import load_split
from benchmark.planning.method_setup import find_variant, normalize_overrides, set_up_method
from benchmark.planning.registry import list_own_files, load_recipe, simplify_name
from benchmark.utils.method_names import split_method

DECISIVE_RULES = ("build", "initialize")
"""Rules without which no other one can be checked."""


@dataclass(frozen=True)
class TestedVariant:
    """Outcomes of all rules for one variant.

    Attributes:
        variant: Label of the variant.
        outcomes: One outcome for each rule, in order.
    """

    __test__ = False  # not a test class for pytest

    variant: str
    outcomes: tuple[RuleOutcome, ...]

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the broken rules."""
        return tuple(outcome.rule for outcome in self.outcomes if outcome.state is RuleState.BROKEN)


def make_subjects(
    method: str, *, split: str = "toybox", overrides: Mapping[str, Any] | None = None
) -> Iterator[Subject]:
    """Yield the named variant of a method for its checks, or all variants; no data are read.

    Args:
        method: "name", "name/variant", "path/file.py" or "path/file.py/variant".
        split: Name, or path of a YAML file.
        overrides: Values by dotted key, as for a run.

    Raises:
        KeyError: A method, variant, split or key is unknown; the message names the nearest.
        ValueError: The method cannot be loaded, or a value is invalid.
    """
    name, label = split_method(method)
    loaded, values = load_split(split), normalize_overrides(overrides)
    files = frozenset(list_own_files(simplify_name(name)))
    with watch_split_files(files, loaded.name) as opened:
        recipe = load_recipe(simplify_name(name))
    for variant in [find_variant(recipe, label, name=name)] if label else recipe.variants:
        setup = set_up_method(f"{name}/{variant}", loaded, protocol="", overrides=values)
        yield Subject(setup, files, tuple(opened))


def check_variant(subject: Subject, *, rules: Iterable[Rule] = RULES) -> Iterator[RuleOutcome]:
    """Check a variant against rules and yield the outcome of each as soon as it is known."""
    unkept: set[str] = set()
    for rule in rules:
        outcome = _check(rule, subject, unkept)
        if outcome.state in (RuleState.BROKEN, RuleState.NOT_CHECKED):
            unkept.add(rule.name)
        yield outcome


def _check(rule: Rule, subject: Subject, unkept: Collection[str]) -> RuleOutcome:
    """Check one rule.

    Args:
        rule: Rule to check.
        subject: Variant to check.
        unkept: Names of earlier rules that are broken or were not checked.
    """
    exemption = rule.find_exemption(subject)
    if exemption:
        return RuleOutcome(rule.name, rule.sentence, RuleState.NOT_APPLICABLE, exemption)
    missing = [name for name in (*DECISIVE_RULES, *rule.needs) if name in unkept]
    if missing:
        return RuleOutcome(rule.name, rule.sentence, RuleState.NOT_CHECKED, f"needs {missing[0]}")
    try:
        rule.check(subject)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # also what sys.exit raises
        broken = describe_error(error, subject)
        return RuleOutcome(rule.name, rule.sentence, RuleState.BROKEN, str(broken), broken.place)
    return RuleOutcome(rule.name, rule.sentence, RuleState.OK)
