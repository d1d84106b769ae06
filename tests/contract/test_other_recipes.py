"""Rules that apply to some recipes only, and when they do not apply."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmark.contract.check import check_variant, make_subjects
from benchmark.contract.rule import RuleOutcome, RuleState
from benchmark.contract.subject import Subject
from benchmark.core.budget import Budget
from benchmark.core.method import Supervision, Traits

FILE = Path(__file__).with_name("faulty_method.py")
HONEST = next(make_subjects(f"{FILE}/no fault"))


def _change(*, traits: Traits = HONEST.setup.recipe.traits, budget: Budget = HONEST.setup.budget) -> Subject:
    recipe = replace(HONEST.setup.recipe, traits=traits)
    return Subject(replace(HONEST.setup, recipe=recipe, budget=budget), HONEST.files)


def _check(subject: Subject) -> dict[str, RuleOutcome]:
    return {outcome.rule: outcome for outcome in check_variant(subject)}


def test_a_method_without_a_budget_must_train_nothing() -> None:
    outcomes = _check(_change(budget=Budget(iterations=0)))
    assert "'linear.weight' requires gradients: freeze it" in outcomes["trainable-if-trained"].reason
    assert "budget.iterations is 0, and losses returned" in outcomes["no-losses"].reason
    assert outcomes["loss-values"].state is RuleState.NOT_APPLICABLE


def test_a_trained_method_without_supervision_is_refused() -> None:
    outcome = _check(_change(traits=Traits(supervision=Supervision.NONE)))["trainable-if-trained"]
    assert "traits say Supervision.NONE, and 'linear.weight' is trained" in outcome.reason


def test_random_weights_are_not_deterministic() -> None:
    outcome = _check(_change(traits=Traits(supervision=Supervision.SEEN_MASKS, is_deterministic=True)))["deterministic"]
    assert outcome.state is RuleState.BROKEN
    assert "seeds 0 and 1 give different scores" in outcome.reason


def test_names_and_labels_of_unseen_classes_are_allowed_where_the_supervision_includes_them() -> None:
    names = _check(_change(traits=Traits(supervision=Supervision.SEEN_MASKS_UNSEEN_NAMES)))
    points = _check(_change(traits=Traits(supervision=Supervision.POINTS)))
    tags = _check(_change(traits=Traits(supervision=Supervision.TAGS)))
    assert names["unseen-names"].state is RuleState.NOT_APPLICABLE
    assert names["unseen-labels"].state is RuleState.OK
    assert points["unseen-names"].state is RuleState.NOT_APPLICABLE
    assert points["unseen-labels"].state is RuleState.OK
    assert tags["unseen-labels"].state is RuleState.NOT_APPLICABLE
