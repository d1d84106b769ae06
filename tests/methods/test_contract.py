"""Every method and variant keeps every rule, and does not look at padding.

A file in methods/ is tested because it is in that folder.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark.contract.check import check_variant
from benchmark.contract.rule import RuleState
from tests.methods.cases import CASES, in_evaluation, in_training, make_padded_batch, subject_of

KEPT = (RuleState.OK, RuleState.NOT_APPLICABLE)


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    """Return a variant; one after the other, so that each is built once for all tests."""
    return str(request.param)


def test_every_rule_of_the_contract_is_kept(case: str) -> None:
    outcomes = check_variant(subject_of(case))
    assert [outcome for outcome in outcomes if outcome.state not in KEPT] == []


def test_the_content_of_padding_changes_no_loss(case: str) -> None:
    first, second = (in_training(case).losses(make_padded_batch(case, content)) for content in ("one", "other"))
    assert first.keys() == second.keys()
    assert all(torch.equal(loss, second[name]) for name, loss in first.items())


def test_the_content_of_padding_changes_no_prediction(case: str) -> None:
    def predict(content: str) -> Tensor:
        batch = subject_of(case).add_tags(make_padded_batch(case, content))
        with torch.no_grad():
            return in_evaluation(case).predict(batch)[0]["sem_seg"]

    assert torch.equal(predict("one"), predict("other"))
