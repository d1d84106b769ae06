"""Every method and variant keeps every rule; a file in methods/ is tested because it is in that folder."""

from __future__ import annotations

import pytest

from benchmark.contract.check import check_variant
from benchmark.contract.rule import RuleState
from tests.methods.cases import CASES, subject_of

KEPT = (RuleState.OK, RuleState.NOT_APPLICABLE)


@pytest.mark.parametrize("case", CASES)
def test_every_rule_of_the_contract_is_kept(case: str) -> None:
    outcomes = check_variant(subject_of(case))
    assert [outcome for outcome in outcomes if outcome.state not in KEPT] == []
