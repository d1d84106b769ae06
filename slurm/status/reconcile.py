"""Failures recorded for runs whose job has ended without a record: SLURM's state and the end of the log."""

from __future__ import annotations

import re
from collections.abc import Iterable

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.store.failures import record_failure
from benchmark.store.run_folder import LOG_LINES
from benchmark.store.store import Store
from benchmark.utils.atomic_files import read_last_lines
from benchmark.utils.lock import BusyError, hold_lock
from slurm.requests.manifest import SubmittedTask
from slurm.scheduler.states import parse_state
from slurm.status.run_status import RunStatus

MAX_REASON = 300
"""Most characters of a line of a log in a message."""
_SRUN_REPORT = re.compile(r"srun: (error: .*Exited with exit code|launch/slurm: |Terminating )")


def reconcile(store: Store, runs: Iterable[RunStatus]) -> list[str]:
    """Record a failure for every run whose job has failed and that left no record.

    Runs of jobs that were canceled or preempted, or that lost a node, can be resumed and have not failed.

    Args:
        store: Store of the runs.
        runs: Current status of the runs.

    Returns:
        The IDs of the runs that have failed.

    Raises:
        OSError: A record cannot be written.
    """
    failed = []
    for status in runs:
        failure = explain_failure(store, status)
        if failure is None:
            continue
        run = store.run(status.id)
        try:
            with hold_lock(run.path):
                number = max(len(run.read_attempts()), _count_earlier_attempts(status) + 1)
                record_failure(run.read_spec(), failure, store=store, number=number)
        except (BusyError, FileExistsError):
            continue  # the run is still active, or has just written its own record
        failed.append(status.id)
    return failed


def explain_failure(store: Store, status: RunStatus) -> Failure | None:
    """Return the failure of a run whose job has failed; None if its job has not failed."""
    if status.state is not RunState.FAILED or status.job is None or status.task is None:
        return None
    job, state = status.job, parse_state(status.job.state)
    if not state.is_failure(exit_code=job.exit_code, signal=job.signal):
        return None
    log_tail = _read_log_tail(store, status.id, status.task)
    message = f"the job {state.meaning}: {state.remedy}"
    if state.failure == "by exit code":
        message = f"the job ended with exit code {job.exit_code}: {_find_reason(log_tail) or state.remedy}"
        if len(store.run(status.id).read_attempts()) <= _count_earlier_attempts(status):
            message += " (before the run began: look at `setup` and `python` of the profile)"
    return Failure(kind=state.name, message=message, log_tail=log_tail)


def _count_earlier_attempts(status: RunStatus) -> int:
    """Return the number of attempts before the submission of a run."""
    return status.task.submission.manifest.attempts.get(status.id, 0) if status.task is not None else 0


def _read_log_tail(store: Store, run_id: str, task: SubmittedTask) -> str:
    """Return the end of the log of the attempt that a job made or, if the job made none, of the job's own output."""
    run = store.run(run_id)
    has_begun = len(run.read_attempts()) > task.submission.manifest.attempts.get(run_id, 0)
    job_output = read_last_lines(task.log_path, LOG_LINES)
    return run.read_log_tail() if has_begun or not job_output else job_output


def _find_reason(log_tail: str) -> str:
    """Return the last line of a log that is not merely srun's report of an exit code."""
    lines = [line.strip() for line in log_tail.splitlines() if line.strip() and not _SRUN_REPORT.match(line)]
    return lines[-1][:MAX_REASON] if lines else ""
