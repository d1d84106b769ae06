"""Status of every run of a grid: from its record first, then from the scheduler, then from its heartbeats. Read-only.

If a state cannot be determined it is "unknown": a run never counts as failed because a scheduler is slow, forgets jobs
or is down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmark.core.run_record import RunRecord
from benchmark.core.run_state import RunState
from benchmark.store.index.run_index import RunIndex
from benchmark.store.run_snapshot import RecordSummary, RunSnapshot
from benchmark.store.store import Store
from slurm.requests.manifest import SubmittedTask, locate_runs
from slurm.scheduler.job_info import JobInfo
from slurm.scheduler.reasons import explain_reason
from slurm.scheduler.states import parse_state
from slurm.status.grid_queue import GridQueue, query_queue

QUEUE_DELAY_S = 60.0
"""Time after a submission during which the scheduler may not yet show the job."""
HEARTBEAT_TIMEOUT_S = 60.0
"""Age up to which a heartbeat proves that a process is alive, even if the scheduler has given its job up."""


@dataclass(frozen=True)
class RunStatus:
    """Status of one run.

    Attributes:
        id: ID of the run.
        state: State of the run.
        reason: Explanation of the state in one line; may be empty.
        task: Array element that the run was last submitted in; None if the run was never submitted.
        job: The scheduler's report about that element; None if there is no report.
        record: Record of the run; None if it cannot be read, or was looked up in an index.
        summary: Summary of the record of a run that was looked up in an index; None for any other.
        is_unreadable: Whether files of the run exist that this user may not read; they may hold a result.
    """

    id: str
    state: RunState
    reason: str = ""
    task: SubmittedTask | None = None
    job: JobInfo | None = None
    record: RunRecord | None = None
    summary: RecordSummary | None = None
    is_unreadable: bool = False

    @property
    def is_ending(self) -> bool:
        """Whether the job of the run is ending: SLURM no longer runs it, and has not let it go yet."""
        return self.state is RunState.RUNNING and self.job is not None and parse_state(self.job.state).phase == "ending"


@dataclass(frozen=True)
class GridStatus:
    """Status of the runs of a grid.

    Attributes:
        runs: Status of every run.
        queue: Reports of the schedulers; empty if they did not have to be asked.
    """

    runs: tuple[RunStatus, ...]
    queue: GridQueue


def query_status(store: Store, ids: Sequence[str], *, index: RunIndex | None = None) -> GridStatus:
    """Determine the status of runs; each cluster is asked once, and only if a run submitted to it has no record.

    Args:
        store: Store of the runs.
        ids: IDs of the runs.
        index: Index in which finished runs are looked up first, and saved; None to read the records of all runs.

    A submission that cannot be read is named in the notes of the queue, and its runs count as not submitted.
    """
    if index is None:
        snapshots = {run_id: store.run(run_id).read_snapshot() for run_id in ids}
    else:
        snapshots = {run_id: index.read_snapshot(run_id) for run_id in ids}
        index.save()
    problems: list[str] = []
    open_tasks = _find_open_tasks(store, snapshots, notify=problems.append)
    queue = replace(query_queue(open_tasks.values()), unreadable=tuple(problems))
    runs = []
    for run_id, snapshot in snapshots.items():
        status = _determine_status(store, run_id, snapshot.state, task=open_tasks.get(run_id), queue=queue)
        reason = status.reason or snapshot.problem
        runs.append(
            replace(
                status,
                record=snapshot.record,
                summary=snapshot.summary,
                reason=reason,
                is_unreadable=snapshot.is_unreadable,
            )
        )
    return GridStatus(tuple(runs), queue)


def _find_open_tasks(
    store: Store, snapshots: Mapping[str, RunSnapshot], *, notify: Callable[[str], None]
) -> dict[str, SubmittedTask]:
    """Return the array elements of the runs that were submitted and have not ended, by the ID of the run."""
    tasks = locate_runs(store, notify=notify)
    return {
        run_id: tasks[run_id]
        for run_id, snapshot in snapshots.items()
        if run_id in tasks and not _has_ended(snapshot, tasks[run_id])
    }


def decide_state(
    file_state: RunState,
    task: SubmittedTask,
    *,
    job: JobInfo | None,
    reachable: bool,
    silent_s: float,
    now: float,
    is_forgotten: bool = False,
) -> tuple[RunState, str]:
    """Decide the state of a run that was submitted and has no record.

    Args:
        file_state: State according to the files of the run.
        task: Array element that the run was submitted in.
        job: The scheduler's report about that element; None if there is no report.
        reachable: Whether the scheduler answers.
        silent_s: Seconds since the last heartbeat; infinite if there was none.
        now: Current time in seconds since 1970.
        is_forgotten: Whether the scheduler shows the other elements of the array.

    Returns:
        The state, and an explanation in one line.
    """
    if job is None:
        return _decide_without_job(file_state, task, reachable=reachable, now=now, is_forgotten=is_forgotten)
    slurm_state = parse_state(job.state)
    if not slurm_state.is_over and job.source == "sacct" and reachable:  # the controller no longer knows the job
        return _decide_without_job(file_state, task, reachable=reachable, now=now)
    if slurm_state.is_over and slurm_state.is_alive(controller_answers=reachable):
        return RunState.UNKNOWN, f"{job.state}: SLURM's controller does not answer, so the job may come back"
    if slurm_state.phase == "waiting":
        start = f", start {job.restarts + 1}" if job.restarts else ""
        return RunState.WAITING, f"{_explain_wait(job)}{start}"
    if slurm_state.phase in ("running", "ending"):
        return RunState.RUNNING, "" if job.state == "RUNNING" else job.state
    if slurm_state.phase == "unknown":
        return RunState.UNKNOWN, f"SLURM reports the job state {job.state}, which is not in the table of states"
    if file_state is RunState.RUNNING and silent_s < HEARTBEAT_TIMEOUT_S:
        return RunState.RUNNING, f"its job has ended ({job.state}), but its process sends heartbeats"
    is_failure = slurm_state.is_failure(exit_code=job.exit_code, signal=job.signal)
    state = RunState.FAILED if is_failure else _get_resumable_state(file_state)
    return state, f"its job ended: {job.state} ({slurm_state.meaning})"


def _explain_wait(job: JobInfo) -> str:
    """Return in plain words why a job waits, with SLURM's own words."""
    state = parse_state(job.state)
    if state.name != "PENDING":
        return f"its job {state.meaning} ({state.name})"
    return f"its job {explain_reason(job.reason).meaning} ({job.reason})" if job.reason else "its job waits (PENDING)"


def list_advice(runs: Iterable[RunStatus]) -> list[str]:
    """Return what to do about waiting jobs, one line for each of SLURM's reasons that calls for it."""
    waiting: dict[str, list[JobInfo]] = {}
    for run in runs:
        if run.state is RunState.WAITING and run.job is not None:
            waiting.setdefault(run.job.reason, []).append(run.job)
    return [
        f"{reason}: {remedy.replace('JOB', ','.join(sorted({job.job for job in jobs})))}"
        for reason, jobs in waiting.items()
        if (remedy := explain_reason(reason).remedy)
    ]


def _decide_without_job(
    file_state: RunState, task: SubmittedTask, *, reachable: bool, now: float, is_forgotten: bool = False
) -> tuple[RunState, str]:
    """Decide the state of a run whose job the scheduler does not show."""
    sent, state = task.submission.sent, _get_resumable_state(file_state)
    if file_state is RunState.RUNNING:
        return RunState.RUNNING, "" if reachable else "SLURM does not answer"
    if sent is None:
        return RunState.UNKNOWN, "its submission was cut short; the next submit looks for the job"
    if not reachable:
        return RunState.UNKNOWN, "SLURM does not answer"
    if is_forgotten:
        return state, f"its element of job {sent.job} is no longer in the queue: it was canceled before it started"
    if now - sent.time < QUEUE_DELAY_S:
        return RunState.WAITING, "just submitted; SLURM does not show the job yet"
    if state is RunState.MISSING:
        return RunState.LOST, f"SLURM no longer knows job {sent.job}, and the run never started"
    return state, f"SLURM no longer knows job {sent.job}"


def _get_resumable_state(file_state: RunState) -> RunState:
    """Return the state of a run on which no process works, according to its files."""
    has_begun = file_state in (RunState.INTERRUPTED, RunState.RUNNING)
    return RunState.INTERRUPTED if has_begun else RunState.MISSING


def _has_ended(snapshot: RunSnapshot, task: SubmittedTask) -> bool:
    """Return whether the record of a run says how it ended; a failure before the submission is not its end."""
    record = snapshot.record
    if snapshot.state is not RunState.FAILED or record is None:
        return snapshot.state.is_final
    return record.attempts > task.submission.manifest.attempts.get(record.spec.id, 0)


def _determine_status(
    store: Store, run_id: str, file_state: RunState, *, task: SubmittedTask | None, queue: GridQueue
) -> RunStatus:
    """Return the status of a run; `task` is None if the run was never submitted or has ended."""
    if task is None:
        return RunStatus(run_id, file_state)
    job, reachable = queue.find_job(task), queue.answers_for(task)
    # a failure that was submitted again says nothing about the current job
    begun = RunState.INTERRUPTED if file_state is RunState.FAILED else file_state
    silence = _measure_silence_s(store, run_id)
    state, reason = decide_state(
        begun,
        task,
        job=job,
        reachable=reachable,
        silent_s=silence,
        now=time.time(),
        is_forgotten=queue.has_forgotten(task),
    )
    if file_state is RunState.FAILED and state.is_startable:
        state = RunState.FAILED
    return RunStatus(run_id, state, reason, task, job)


def _measure_silence_s(store: Store, run_id: str) -> float:
    """Return the seconds since the last heartbeat; infinite if there was none."""
    heartbeat = store.run(run_id).read_heartbeat()
    return time.time() - float(heartbeat["time"]) if heartbeat and "time" in heartbeat else float("inf")
