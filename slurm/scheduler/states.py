"""What SLURM's words for the state of a job mean for a run. Pure.

The words are those that squeue and sacct of 22.05 and newer print, long or short. One that is not among them stays
"unknown": it is never taken for a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Phase = Literal["waiting", "running", "ending", "ended", "unknown"]
"""Where a job stands. "ending": its processes are gone or going, and what becomes of it is not settled yet."""


@dataclass(frozen=True)
class State:
    """A word of SLURM's.

    Attributes:
        short: the same in two or three letters; empty where there is none.
        phase: where a job stands that is in this state.
        meaning: one line for people.
        remedy: what to do about a run whose job ended so and left no record; empty for states that are no end.
    """

    short: str
    phase: Phase
    meaning: str
    remedy: str = ""


_STATES = {
    "PENDING": State("PD", "waiting", "waits for its turn; the reason says for what"),
    "CONFIGURING": State("CF", "waiting", "has nodes, which are being made ready"),
    "POWER_UP_NODE": State("PO", "waiting", "has nodes, which are being switched on"),
    "EXPEDITING": State("", "waiting", "is the next to start"),
    "REQUEUED": State("RQ", "waiting", "goes back into the queue and starts again"),
    "REQUEUE_FED": State("RF", "waiting", "goes back into the queue of a federation"),
    "REQUEUE_HOLD": State("RH", "waiting", "went back into the queue and is held: `scontrol release` lets it start"),
    "RESV_DEL_HOLD": State("RD", "waiting", "is held, its reservation is gone: `scontrol release` lets it start"),
    "SPECIAL_EXIT": State("SE", "waiting", "was put back and is held by the site: `scontrol release` lets it start"),
    "RUNNING": State("R", "running", "runs"),
    "SUSPENDED": State("S", "running", "is suspended; others use its processors meanwhile"),
    "STOPPED": State("ST", "running", "is stopped and keeps its processors"),
    "RESIZING": State("RS", "running", "runs, and is about to change its size"),
    "SIGNALING": State("SI", "running", "runs, and is being sent a signal"),
    "COMPLETING": State("CG", "ending", "is ending: some of its processes may still be there"),
    "STAGE_OUT": State("SO", "ending", "has ended, and its data are being copied out"),
    "UPDATE_DB": State("UD", "ending", "has ended, and is being written to the accounts"),
    "LAUNCH_FAILED": State("LF", "ending", "could not be started on its nodes; SLURM decides what becomes of it"),
    "RECONFIG_FAIL": State("RE", "ending", "its nodes could not be set up; SLURM decides what becomes of it"),
    "COMPLETED": State("CD", "ended", "ended with exit code 0", "if its run left no record, its log may say why"),
    "BOOT_FAIL": State(
        "BF",
        "ended",
        "its nodes did not start",
        "its nodes did not start: submit again, or exclude them in the profile",
    ),
    "CANCELLED": State("CA", "ended", "was cancelled by its user or the site", "cancelled: submit again when it suits"),
    "DEADLINE": State(
        "DL", "ended", "could not meet its deadline", "it cannot meet its deadline: take that out of the profile"
    ),
    "FAILED": State("F", "ended", "ended with another exit code than 0", "its log may say why"),
    "NODE_FAIL": State(
        "NF", "ended", "lost a node", "it lost a node: submit again, and the run goes on from its checkpoint"
    ),
    "OUT_OF_MEMORY": State(
        "OOM",
        "ended",
        "needed more memory than it had",
        "it needed more memory than it had: raise mem_gb, or take fewer workers or smaller batches",
    ),
    "PREEMPTED": State(
        "PR",
        "ended",
        "had to make way for another job",
        "it had to make way: submit again, and the run goes on from its checkpoint",
    ),
    "REVOKED": State("RV", "ended", "was started by another cluster of the federation", "look for it there"),
    "TIMEOUT": State(
        "TO",
        "ended",
        "ran into its time limit",
        "it ran into its time limit: submit again, and the run goes on from its checkpoint; or raise timeout_min",
    ),
}
STATES: Mapping[str, State] = MappingProxyType(_STATES)
"""Every state by its word."""

MEANINGS: Mapping[str, str] = MappingProxyType({word: state.meaning for word, state in _STATES.items()})
"""One line on each state, for people."""

_LONG = {state.short: word for word, state in _STATES.items() if state.short}
_MAY_RETURN = frozenset({"NODE_FAIL", "PREEMPTED"})


def word_of(state: str) -> str:
    """The one word of a state as SLURM printed it: `CANCELLED by 0`, `CANCELLED+` and `CA` give CANCELLED."""
    first = (state.split() or [""])[0].rstrip("+").upper()
    return _LONG.get(first, first)


def phase_of(state: str) -> Phase:
    """Where a job in this state stands; "unknown" for a word that is not SLURM's."""
    known = STATES.get(word_of(state))
    return known.phase if known else "unknown"


def alive(state: str, *, requeue: bool = True) -> bool:
    """Whether a job in this state may yet work on its run, so that nobody else should.

    Args:
        state: as SLURM printed it; a word that is not SLURM's counts as alive.
        requeue: whether a job that lost its node or made way may come back. squeue never shows that word for a job that
            does: it says PENDING or COMPLETING. So this is false for what squeue says, and true for what the accounts
            say while the controller cannot be asked.
    """
    word = word_of(state)
    return phase_of(word) != "ended" or (requeue and word in _MAY_RETURN)


def remedy(state: str) -> str:
    """What to do about a run whose job ended in this state and left no record, in one line; empty for other states."""
    known = STATES.get(word_of(state))
    return known.remedy if known else ""
