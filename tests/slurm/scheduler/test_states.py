"""Every word of SLURM's has one meaning for a run, and no unknown word is a failure."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from benchmark.utils.paths import ROOT
from slurm.scheduler.states import STATES, SlurmState, format_states_table, parse_state

# name, abbreviation, phase, failure, may_return, blames_node: a second copy, so that changes are deliberate
EXPECTED = """
PENDING        PD   waiting  never         no  no
CONFIGURING    CF   waiting  never         no  no
POWER_UP_NODE  PO   waiting  never         no  no
EXPEDITING     -    waiting  never         no  no
REQUEUED       RQ   waiting  never         no  no
REQUEUE_FED    RF   waiting  never         no  no
REQUEUE_HOLD   RH   waiting  never         no  no
RESV_DEL_HOLD  RD   waiting  never         no  no
SPECIAL_EXIT   SE   waiting  never         no  no
RUNNING        R    running  never         no  no
SUSPENDED      S    running  never         no  no
STOPPED        ST   running  never         no  no
RESIZING       RS   running  never         no  no
SIGNALING      SI   running  never         no  no
COMPLETING     CG   ending   never         no  no
STAGE_OUT      SO   ending   never         no  no
UPDATE_DB      UD   ending   never         no  no
LAUNCH_FAILED  LF   ending   never         no  yes
RECONFIG_FAIL  RE   ending   never         no  yes
COMPLETED      CD   over     never         no  no
BOOT_FAIL      BF   over     always        no  yes
CANCELLED      CA   over     never         no  no
DEADLINE       DL   over     always        no  no
FAILED         F    over     by_exit_code  no  no
NODE_FAIL      NF   over     never         yes yes
OUT_OF_MEMORY  OOM  over     always        no  no
PREEMPTED      PR   over     never         yes no
REVOKED        RV   over     never         no  no
TIMEOUT        TO   over     never         no  no
"""

# as `man squeue` and `man sacct` of 22.05 list them
MANUAL = (
    "BF BOOT_FAIL, CA CANCELLED, CD COMPLETED, CF CONFIGURING, CG COMPLETING, DL DEADLINE, F FAILED, NF NODE_FAIL, "
    "OOM OUT_OF_MEMORY, PD PENDING, PR PREEMPTED, R RUNNING, RD RESV_DEL_HOLD, RF REQUEUE_FED, RH REQUEUE_HOLD, "
    "RQ REQUEUED, RS RESIZING, RV REVOKED, SI SIGNALING, SE SPECIAL_EXIT, SO STAGE_OUT, ST STOPPED, S SUSPENDED, "
    "TO TIMEOUT"
)
ALIVE = (
    "PENDING CONFIGURING RUNNING SUSPENDED STOPPED RESIZING SIGNALING STAGE_OUT COMPLETING REQUEUED REQUEUE_FED "
    "REQUEUE_HOLD RESV_DEL_HOLD SPECIAL_EXIT"
)


def _summarize(state: SlurmState) -> list[str]:
    flags = ["yes" if flag else "no" for flag in (state.may_return, state.blames_node)]
    return [state.name, state.short or "-", state.phase, state.failure.replace(" ", "_"), *flags]


def test_every_row_of_the_table_is_as_expected() -> None:
    assert [_summarize(state) for state in STATES.values()] == [line.split() for line in EXPECTED.strip().splitlines()]


def test_the_readme_shows_the_table_of_states() -> None:
    assert f"\n\n{format_states_table()}\n\n" in (ROOT / "slurm" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STATES)
def test_every_field_of_a_state_is_held_by_the_expectation_or_by_the_readme(name: str) -> None:
    state = STATES[name]
    others: dict[str, Any] = {"phase": "unknown", "failure": "sometimes"}
    others |= {"may_return": not state.may_return, "blames_node": not state.blames_node}
    for field in fields(SlurmState):
        changes: dict[str, Any] = {field.name: others.get(field.name, "changed")}
        changed = replace(state, **changes)
        is_held = _summarize(changed) != _summarize(state)
        assert is_held or format_states_table([changed]) != format_states_table([state]), field.name


@pytest.mark.parametrize("pair", MANUAL.split(", "))
def test_every_state_of_the_manual_is_known_by_both_its_forms(pair: str) -> None:
    short, name = pair.split()
    assert parse_state(short) is parse_state(name) is STATES[name]


@pytest.mark.parametrize("text", ["CANCELLED by 0", "CANCELLED by 1000", "CANCELLED+", "cancelled", "CA"])
def test_only_the_first_word_counts(text: str) -> None:
    assert parse_state(text).name == "CANCELLED"


@pytest.mark.parametrize("text", ["", "TELEPORTED", "FAILEDISH by 3"])
def test_an_unknown_word_stays_unknown_and_counts_as_alive(text: str) -> None:
    state = parse_state(text)
    assert (state.phase, state.meaning, state.remedy) == ("unknown", "", "")
    assert state.is_alive(controller_answers=True)
    assert not state.is_failure(exit_code=1, signal=0)


@pytest.mark.parametrize("name", ALIVE.split())
def test_a_job_that_may_still_work_is_alive(name: str) -> None:
    assert parse_state(name).is_alive(controller_answers=True)


@pytest.mark.parametrize("text", ["COMPLETED", "FAILED", "CANCELLED by 0", "TIMEOUT", "OUT_OF_MEMORY", "BOOT_FAIL"])
def test_a_final_state_is_final_even_if_the_controller_does_not_answer(text: str) -> None:
    assert not parse_state(text).is_alive(controller_answers=False)


@pytest.mark.parametrize("name", ["PREEMPTED", "NODE_FAIL"])
def test_a_job_that_lost_its_nodes_is_over_unless_it_may_return(name: str) -> None:
    assert parse_state(name).is_alive(controller_answers=False)
    assert not parse_state(name).is_alive(controller_answers=True)


@pytest.mark.parametrize(
    ("name", "exit_code", "signal", "is_failure"),
    [
        ("OUT_OF_MEMORY", 0, 125, True),
        ("BOOT_FAIL", None, 0, True),
        ("DEADLINE", 0, 15, True),
        ("FAILED", 1, 0, True),
        ("FAILED", 127, 0, True),
        ("FAILED", 85, 0, False),
        ("FAILED", 137, 0, False),
        ("FAILED", 0, 9, False),
        ("FAILED", None, 0, False),
        ("NODE_FAIL", 1, 0, False),
        ("CANCELLED", 0, 15, False),
    ],
)
def test_only_a_job_that_would_end_the_same_way_again_is_a_failure(
    name: str, exit_code: int | None, signal: int, is_failure: bool
) -> None:
    assert parse_state(name).is_failure(exit_code=exit_code, signal=signal) is is_failure


def test_only_final_states_have_a_remedy() -> None:
    assert {name for name, state in STATES.items() if state.remedy} == {
        name for name, state in STATES.items() if state.is_over
    }


def test_every_state_has_a_meaning_in_one_line() -> None:
    assert all(state.meaning and "\n" not in state.meaning for state in STATES.values())


def test_no_two_states_have_the_same_abbreviation() -> None:
    abbreviations = [state.short for state in STATES.values() if state.short]
    assert len(abbreviations) == len(set(abbreviations))
