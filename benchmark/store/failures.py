"""How a process that worked on a run ended, and the record that is written in its stead where it left none."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

from benchmark.core.run_record import Failure, RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.store.store import Store
from benchmark.utils.atomic_files import last_lines

LOG_LINES = 30
OUT_OF_MEMORY = "OUT_OF_MEMORY"
BUSY, SUPERSEDED, TOLD = 75, 76, 130
"""Exit codes of a worker that leaves no record: another process works on the run, took it over, or told it to end."""


def failure_of_exit(code: int, *, log_tail: str, by_memory: bool = False) -> Failure:
    """Why a run has no result, from the exit code of its process; negative for a signal, as `subprocess` has it."""
    if by_memory:
        message = "the kernel killed the process for want of memory; ask for more, or for fewer runs at a time"
        return Failure(kind=OUT_OF_MEMORY, message=message, log_tail=log_tail)
    return Failure(kind=_kind(code), message=how_it_ended(code), log_tail=log_tail)


def how_it_ended(code: int) -> str:
    """One line on a process that ended without a record."""
    if code == TOLD:
        return "the process was told to end, by SIGTERM or SIGINT from outside; what it had saved is kept"
    if code >= 0:
        return f"the process ended with exit code {code} and left no record"
    hint = ": killed from outside, or for want of memory" if -code == signal.SIGKILL else ""
    return f"the process was ended by signal {-code}{hint}"


def no_progress(count: int, *, log_tail: str) -> Failure:
    """Why a run is given up that ended again and again before it had saved anything new."""
    message = (
        f"{count} attempts in a row ended without any progress: the time limit, the checkpoints or the memory do not "
        "fit; see the logs of the attempts"
    )
    return Failure(kind="no progress", message=message, log_tail=log_tail)


def log_tail(store: Store, run_id: str) -> str:
    """The last lines of the latest attempt's log; empty where there is none."""
    try:
        return last_lines(store.log(run_id), LOG_LINES)
    except KeyError:
        return ""


def record_failure(spec: RunSpec, failure: Failure, *, store: Store, number: int = 0, threads: int = 1) -> None:
    """Write the record of a failure for an attempt that did not do so itself.

    Args:
        number: of the attempt; the latest one where 0. One that never began begins here.
        threads: of torch on the CPU, for the record's environment.

    Raises:
        FileExistsError, Superseded, OSError: as `Store.save_failure`.
    """
    from benchmark.store.environment import describe_environment

    if not store.attempts(spec.id) or len(store.attempts(spec.id)) < number:
        store.begin_attempt(spec)
    attempt = store.attempts(spec.id)[-1]
    record = RunRecord(
        spec=spec,
        environment=describe_environment().model_copy(update={"threads": threads}),
        state="failed",
        failure=failure,
        attempts=number or attempt.number,
        started=attempt.started,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    store.save_failure(record)


def _kind(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
