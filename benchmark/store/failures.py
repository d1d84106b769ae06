"""Failures of runs whose process ended without a record, and the records written on behalf of such processes."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

from benchmark.core.run_record import Failure, RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode

OUT_OF_MEMORY = "OUT_OF_MEMORY"


def explain_exit(code: int, *, log_tail: str, is_out_of_memory: bool = False) -> Failure:
    """Return the failure of a run whose process left no record.

    Args:
        code: Exit code of the process; negative for a signal, as in `subprocess`.
        log_tail: Last lines of the log.
        is_out_of_memory: Whether the kernel killed the process because memory ran out.
    """
    if is_out_of_memory:
        message = "out of memory (killed by the kernel): request more memory, or run fewer runs at a time"
        return Failure(kind=OUT_OF_MEMORY, message=message, log_tail=log_tail)
    return Failure(kind=_name_exit(code), message=describe_exit(code), log_tail=log_tail)


def describe_exit(code: int) -> str:
    """Describe in one line how a process ended that left no record."""
    if code == ExitCode.INTERRUPTED:
        return "the process was interrupted by SIGTERM or SIGINT from outside; its checkpoint is kept"
    if code == ExitCode.STALLED:
        return "a read made no progress and could not be interrupted; the end of the log says which"
    if code >= 0:
        return f"the process ended with exit code {code} and left no record"
    hint = ": killed from outside, or out of memory; `retry` resumes it" if -code == signal.SIGKILL else ""
    return f"the process was ended by signal {-code}{hint}"


def explain_stall(count: int, *, log_tail: str) -> Failure:
    """Return the failure of a run that is given up because `count` attempts in a row saved nothing new."""
    message = (
        f"{count} attempts in a row ended without any progress: the time limit, the checkpoint interval or the memory "
        "does not fit; see the logs of the attempts"
    )
    return Failure(kind="no progress", message=message, log_tail=log_tail)


def record_failure(spec: RunSpec, failure: Failure, *, store: Store, number: int = 0, threads: int = 1) -> None:
    """Write the record of a failure for an attempt that did not do so itself.

    Args:
        spec: Spec of the run.
        failure: Reason why there is no result.
        store: Store that holds the run.
        number: Number of the attempt; 0 for the latest one. An attempt that never began begins here.
        threads: CPU threads of torch, for the record's environment.

    Raises:
        FileExistsError: The run already has a record.
        SupersededError: A later attempt has begun.
        OSError: The record cannot be written.
    """
    from benchmark.store.environment import describe_environment

    run = store.run(spec.id)
    attempts = run.read_attempts()
    if not attempts or len(attempts) < number:
        attempts.append(run.begin_attempt(spec))
    record = RunRecord(
        spec=spec,
        environment=describe_environment().model_copy(update={"threads": threads}),
        state=RunState.FAILED,
        failure=failure,
        attempts=number or attempts[-1].number,
        started=attempts[-1].started,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    run.save_failure(record)


def _name_exit(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
