"""All rules of the contract, in the order in which they are checked and printed."""

from __future__ import annotations

from benchmark.contract import building, leaks, losses, own_sources, parameters, predictions, vocabulary
from benchmark.contract.rule import Rule

RULES: tuple[Rule, ...] = (
    *building.RULES,
    *losses.RULES,
    *predictions.RULES,
    *vocabulary.RULES,
    *parameters.RULES,
    *own_sources.RULES,
    *leaks.RULES,
)
