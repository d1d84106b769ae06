"""Table of SLURM's job states and what each one means for a run. Pure.

The words are those that squeue and sacct of SLURM 22.05 and newer print, long or short. A word that is not in the table
has the phase "unknown" and is never a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from benchmark.utils.exit_codes import ExitCode

Phase = Literal["waiting", "running", "ending", "over", "unknown"]
"""Stage of a job. "ending": its processes have ended or are ending, and SLURM has not yet decided what comes next."""

FailureRule = Literal["always", "by exit code", "never"]
"""Whether a run fails if its job ends in a state and leaves no record."""


@dataclass(frozen=True, kw_only=True)
class SlurmState:
    """One state of a SLURM job.

    Attributes:
        name: Word that SLURM prints.
        short: Abbreviation of two or three letters; empty if there is none.
        phase: Stage of a job that is in this state.
        meaning: Sentence about such a job for people, without its subject "the job".
        failure: Whether a run fails if its job ends in this state and leaves no record: always, never, or depending on
            the job's exit code. A run that does not fail can be submitted again and resumes from its checkpoint.
        may_return: Whether SLURM may requeue a job that ended in this state.
        blames_node: Whether the nodes of the job, not the job, are the cause of this state.
        remedy: Advice to the user if the job ended in this state and its run left no record; empty for other states.
    """

    name: str
    short: str = ""
    phase: Phase
    meaning: str
    failure: FailureRule = "never"
    may_return: bool = False
    blames_node: bool = False
    remedy: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.phase == "over"

    def is_alive(self, *, controller_answers: bool) -> bool:
        """Return whether the job may still work on its run, so that nothing else should.

        Args:
            controller_answers: Whether SLURM's controller answers. If it does, a job that is coming back is shown as
                PENDING or COMPLETING. If only the accounting database answers, a job that may return counts as alive.
        """
        return not self.is_over or (self.may_return and not controller_answers)

    def is_failure(self, *, exit_code: int | None, signal: int) -> bool:
        """Return whether a run fails if its job ended in this state and left no record.

        Args:
            exit_code: Exit code of the job's batch script; None if unknown.
            signal: Signal that ended the batch script; 0 if none did.
        """
        if self.failure == "by exit code":
            return exit_code in range(1, 128) and exit_code != ExitCode.REQUEUE and not signal
        return self.failure == "always"


_ROWS = (
    SlurmState(name="PENDING", short="PD", phase="waiting", meaning="waits to start; SLURM's reason says for what"),
    SlurmState(name="CONFIGURING", short="CF", phase="waiting", meaning="has nodes, which are being prepared"),
    SlurmState(name="POWER_UP_NODE", short="PO", phase="waiting", meaning="has nodes, which are being powered on"),
    SlurmState(name="EXPEDITING", phase="waiting", meaning="starts next"),
    SlurmState(name="REQUEUED", short="RQ", phase="waiting", meaning="was requeued and starts again"),
    SlurmState(name="REQUEUE_FED", short="RF", phase="waiting", meaning="was requeued in the cluster's federation"),
    SlurmState(
        name="REQUEUE_HOLD",
        short="RH",
        phase="waiting",
        meaning="was requeued and is held: `scontrol release` lets it start",
    ),
    SlurmState(
        name="RESV_DEL_HOLD",
        short="RD",
        phase="waiting",
        meaning="is held because its reservation was deleted: `scontrol release` lets it start",
    ),
    SlurmState(
        name="SPECIAL_EXIT",
        short="SE",
        phase="waiting",
        meaning="was requeued and is held by the site: `scontrol release` lets it start",
    ),
    SlurmState(name="RUNNING", short="R", phase="running", meaning="is running"),
    SlurmState(name="SUSPENDED", short="S", phase="running", meaning="is suspended, and its processors are released"),
    SlurmState(name="STOPPED", short="ST", phase="running", meaning="is stopped and keeps its processors"),
    SlurmState(name="RESIZING", short="RS", phase="running", meaning="is running and is changing its size"),
    SlurmState(name="SIGNALING", short="SI", phase="running", meaning="is running and is being sent a signal"),
    SlurmState(name="COMPLETING", short="CG", phase="ending", meaning="is ending: some processes may still be running"),
    SlurmState(name="STAGE_OUT", short="SO", phase="ending", meaning="has ended, and its data is being copied out"),
    SlurmState(name="UPDATE_DB", short="UD", phase="ending", meaning="has ended, and accounting is being updated"),
    SlurmState(
        name="LAUNCH_FAILED",
        short="LF",
        phase="ending",
        meaning="could not be started on its nodes; SLURM decides whether to requeue it",
        blames_node=True,
    ),
    SlurmState(
        name="RECONFIG_FAIL",
        short="RE",
        phase="ending",
        meaning="has nodes that could not be configured; SLURM decides whether to requeue it",
        blames_node=True,
    ),
    SlurmState(
        name="COMPLETED",
        short="CD",
        phase="over",
        meaning="ended with exit code 0",
        remedy="read the log",
    ),
    SlurmState(
        name="BOOT_FAIL",
        short="BF",
        phase="over",
        meaning="has nodes that failed to boot",
        failure="always",
        blames_node=True,
        remedy="exclude the nodes in the profile, or submit again",
    ),
    SlurmState(
        name="CANCELLED",
        short="CA",
        phase="over",
        meaning="was canceled by its user or the site",
        remedy="submit again when ready",
    ),
    SlurmState(
        name="DEADLINE",
        short="DL",
        phase="over",
        meaning="could not meet its deadline",
        failure="always",
        remedy="remove the deadline from the profile",
    ),
    SlurmState(
        name="FAILED",
        short="F",
        phase="over",
        meaning="ended with a nonzero exit code",
        failure="by exit code",
        remedy="read the log",
    ),
    SlurmState(
        name="NODE_FAIL",
        short="NF",
        phase="over",
        meaning="lost a node",
        may_return=True,
        blames_node=True,
        remedy="submit again: the run resumes from its checkpoint",
    ),
    SlurmState(
        name="OUT_OF_MEMORY",
        short="OOM",
        phase="over",
        meaning="ran out of memory",
        failure="always",
        remedy="raise mem_gb, or use fewer workers or smaller batches",
    ),
    SlurmState(
        name="PREEMPTED",
        short="PR",
        phase="over",
        meaning="was preempted by another job",
        may_return=True,
        remedy="submit again: the run resumes from its checkpoint",
    ),
    SlurmState(
        name="REVOKED",
        short="RV",
        phase="over",
        meaning="was started by another cluster of the federation",
        remedy="look for the job on the other clusters of the federation",
    ),
    SlurmState(
        name="TIMEOUT",
        short="TO",
        phase="over",
        meaning="reached its time limit",
        remedy="submit again: the run resumes from its checkpoint; or raise timeout_min",
    ),
)

STATES: Mapping[str, SlurmState] = MappingProxyType({state.name: state for state in _ROWS})
"""Every known state by its name."""

_LONG_NAMES = {state.short: state.name for state in _ROWS if state.short}


def parse_state(text: str) -> SlurmState:
    """Return the state that SLURM printed; `CANCELLED by 0`, `CANCELLED+` and `CA` all give CANCELLED.

    A word that is not in the table gives a state of that name in the phase "unknown", without meaning or remedy.
    """
    word = (text.split() or [""])[0].rstrip("+").upper()
    name = _LONG_NAMES.get(word, word)
    return STATES.get(name) or SlurmState(name=name, phase="unknown", meaning="")


def format_states_table(states: Iterable[SlurmState] = _ROWS) -> str:
    """Return the Markdown table of SLURM's states that slurm/README.md shows."""
    rows = [f"| {state.name} | {state.meaning} | {_describe_run(state)} | {state.remedy} |" for state in states]
    return "\n".join(["| job state | the job | its run, unless it has a record | advice |", "|---|---|---|---|", *rows])


def _describe_run(state: SlurmState) -> str:
    """Describe the run of a job in this state."""
    if not state.is_over:
        return "waiting" if state.phase == "waiting" else "running"
    if state.failure == "by exit code":
        return f"failed if the exit code is 1 to 127 but not {int(ExitCode.REQUEUE)}, else interrupted"
    if state.failure == "always":
        return "failed"
    return "waiting if SLURM requeues the job, else interrupted" if state.may_return else "interrupted"
