"""The contract tests find each fault and say in words which rule is broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.methods import test_contract as contract

FILE = Path(__file__).with_name("faulty_method.py")
RULES = [rule for name, rule in vars(contract).items() if name.startswith("test_")]

Rule = Callable[[str], None]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_method_without_a_fault_passes(rule: Rule) -> None:
    rule(f"{FILE}/none")


@pytest.mark.parametrize(
    ("fault", "rule", "words"),
    [
        (
            "neighbors",
            contract.test_a_prediction_does_not_depend_on_the_other_samples_of_the_batch,
            "a prediction must not depend on the other samples: use `predict_each`",
        ),
        (
            "random",
            contract.test_predictions_repeat_and_have_no_side_effects,
            "random draws must come from `self.step_context.generator",
        ),
        ("in place", contract.test_inputs_are_not_modified, "must not modify their samples in place"),
        (
            "size",
            contract.test_there_is_one_finite_prediction_per_sample_at_the_requested_size,
            r"must return \(K, height, width\) for each sample",
        ),
        (
            "infinite",
            contract.test_there_is_one_finite_prediction_per_sample_at_the_requested_size,
            "predictions must be finite",
        ),
        (
            "state",
            contract.test_predictions_repeat_and_have_no_side_effects,
            "must not change the state of the method",
        ),
        (
            "vocabulary",
            contract.test_set_classes_determines_the_number_of_predicted_classes,
            "must score exactly the classes last given to `set_classes`",
        ),
        ("vector", contract.test_losses_are_finite_scalars_by_name, "each loss must be a scalar tensor"),
        (
            "unused",
            contract.test_every_trainable_parameter_learns_and_no_frozen_one_does,
            "every trainable parameter must influence a loss",
        ),
    ],
)
def test_a_fault_is_reported_in_words(fault: str, rule: Rule, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        rule(f"{FILE}/{fault}")
