"""States of runs and their properties."""

from __future__ import annotations

import pytest

from benchmark.core.run_state import RunState

FAILED = {RunState.FAILED, RunState.BROKEN}
ACTIVE = {RunState.RUNNING, RunState.WAITING, RunState.UNKNOWN}
STARTABLE = {RunState.MISSING, RunState.INTERRUPTED, RunState.LOST}


@pytest.mark.parametrize("state", RunState)
def test_a_state_is_final_or_active_or_startable(state: RunState) -> None:
    assert (state.is_final, state.is_active, state.is_startable).count(True) == 1


def test_each_group_has_the_expected_states() -> None:
    assert {state for state in RunState if state.is_failed} == FAILED
    assert {state for state in RunState if state.is_final} == FAILED | {RunState.DONE}
    assert {state for state in RunState if state.is_active} == ACTIVE
    assert {state for state in RunState if state.is_startable} == STARTABLE
