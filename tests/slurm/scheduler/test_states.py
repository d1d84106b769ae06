"""Every word of SLURM's has one meaning for a run, and no unknown word is a failure."""

from __future__ import annotations

import pytest

from slurm.scheduler.states import MEANINGS, STATES, alive, phase_of, remedy, word_of

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


@pytest.mark.parametrize("pair", MANUAL.split(", "))
def test_every_state_of_the_manual_is_known_by_both_its_forms(pair: str) -> None:
    short, word = pair.split()
    assert word_of(short) == word_of(word) == word
    assert phase_of(short) != "unknown"


@pytest.mark.parametrize("text", ["CANCELLED by 0", "CANCELLED by 1000", "CANCELLED+", "cancelled", "CA"])
def test_only_the_first_word_counts(text: str) -> None:
    assert word_of(text) == "CANCELLED"


@pytest.mark.parametrize("text", ["", "TELEPORTED", "FAILEDISH by 3"])
def test_an_unknown_word_stays_unknown_and_counts_as_alive(text: str) -> None:
    assert phase_of(text) == "unknown"
    assert alive(text)
    assert remedy(text) == ""


@pytest.mark.parametrize("state", ALIVE.split())
def test_what_may_yet_work_is_alive(state: str) -> None:
    assert alive(state, requeue=False)


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELLED by 0", "TIMEOUT", "OUT_OF_MEMORY", "BOOT_FAIL"])
def test_an_end_is_an_end_whether_jobs_come_back_or_not(state: str) -> None:
    assert not alive(state, requeue=True)


@pytest.mark.parametrize("state", ["PREEMPTED", "NODE_FAIL"])
def test_a_job_that_lost_its_place_is_over_unless_it_may_come_back(state: str) -> None:
    assert alive(state, requeue=True)
    assert not alive(state, requeue=False)


def test_ends_and_only_ends_say_what_to_do() -> None:
    assert {word for word in STATES if remedy(word)} == {word for word in STATES if phase_of(word) == "ended"}


def test_every_state_has_one_line_for_people() -> None:
    assert MEANINGS.keys() == STATES.keys()
    assert all(line and "\n" not in line for line in MEANINGS.values())


def test_no_two_states_have_the_same_letters() -> None:
    short = [state.short for state in STATES.values() if state.short]
    assert len(short) == len(set(short))
