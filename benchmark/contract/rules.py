"""All rules of the contract, in the order in which they are checked and printed."""

from __future__ import annotations

from benchmark.contract import building, leaks, losses, own_sources, parameters, predictions, resuming, vocabulary
from benchmark.contract.rule import Rule

RULES: tuple[Rule, ...] = (
    *building.RULES,
    *losses.RULES,
    *predictions.RULES,
    *vocabulary.RULES,
    *parameters.RULES,
    *resuming.RULES,
    *own_sources.RULES,
    *leaks.RULES,
)


def format_rules() -> str:
    """Return the rules as a Markdown table, for the page on methods."""
    lines = [f"| `{rule.name}` | {rule.sentence.rstrip('.')} | {_describe_needs(rule)} |" for rule in RULES]
    return "\n".join(["| rule | in words of the contract | not checked without |", "|---|---|---|", *lines])


def _describe_needs(rule: Rule) -> str:
    return ", ".join(f"`{name}`" for name in rule.needs)
