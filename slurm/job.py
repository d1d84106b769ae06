"""Program that a node runs: `python -m slurm.job MANIFEST` works on one element of a job array.

The program starts one process per run, restarts processes that die, and interrupts them when SLURM warns it, so that
they save their state. It holds no results: every run writes its own record. A run that is spread over several tasks has
one process in each task; if one of them dies, the whole element is requeued.

The exit code is SUCCESS if all runs are done, FINISHED_WITH_FAILURES if some failed, and REQUEUE if the batch script
should requeue the element. SLURM requeues nothing that was canceled.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.core.run_state import RunState
from benchmark.execution.local_pool import PoolSnapshot, RetryPolicy, run_all
from benchmark.execution.worker_process import WorkerResources, end_processes, fork_worker, start_worker
from benchmark.store.failures import explain_stall, record_failure
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.lock import JOB_VARIABLE, Job
from slurm.requests.manifest import Manifest, mark_sent, read_manifest

WARNINGS = (signal.SIGUSR2, signal.SIGTERM)

_log = logging.getLogger("job")


def _interrupt(_number: int, _frame: object) -> None:
    """Interrupt this process because SLURM is about to end the job; later signals must not disturb the shutdown."""
    for number in WARNINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Work on the runs of one array element and return the exit code."""
    parser = argparse.ArgumentParser(description="Work on the runs of one element of a job array.")
    parser.add_argument("manifest", type=Path)
    path = parser.parse_args(arguments).manifest
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    manifest = read_manifest(path)
    os.environ.update(manifest.variables)
    job = read_job(os.environ)
    os.environ[JOB_VARIABLE] = job.canonical()
    mark_sent(path.parent, get_array_id(os.environ), cluster=os.environ.get("SLURM_CLUSTER_NAME", ""))
    ids = manifest.tasks[int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))]
    _log.info("%s, start %d, on %s: %s", job.id, job.restart + 1, job.node, ", ".join(ids))
    for number in WARNINGS:
        signal.signal(number, _interrupt)
    return _run_element(manifest, ids)


def read_job(environment: Mapping[str, str]) -> Job:
    """Return the job of this process, from SLURM's environment variables."""
    # not SLURM_JOB_ID: for the last element of an array it equals the ID of the array
    element = f"{get_array_id(environment)}_{environment.get('SLURM_ARRAY_TASK_ID', '0')}"
    return Job(
        id=f"slurm {environment.get('SLURM_CLUSTER_NAME', '')} {element}",
        restart=int(environment.get("SLURM_RESTART_COUNT") or 0),  # not set on the first start
        node=environment.get("SLURMD_NODENAME", ""),
    )


def get_array_id(environment: Mapping[str, str]) -> str:
    """Return the ID of the array that an element belongs to, or of the job if there is no array."""
    return environment.get("SLURM_ARRAY_JOB_ID") or environment.get("SLURM_JOB_ID", "")


def _run_element(manifest: Manifest, ids: Sequence[str]) -> int:
    """Work on the runs of one element and return the exit code."""
    store = Store(manifest.store)
    is_spread = int(os.environ.get("SLURM_NTASKS") or 1) > 1
    try:
        still_open = [run_id for run_id in ids if not has_ended(store, run_id, manifest=manifest)]
        if is_spread and still_open:
            return _run_spread(store, manifest, still_open[0])
        _run_pool(store, manifest, still_open)
    except KeyboardInterrupt:
        if not all(has_ended(store, run_id, manifest=manifest) for run_id in ids):
            _log.info("interrupted, to be requeued")
            return ExitCode.REQUEUE if _is_first() else ExitCode.SUCCESS
    states = [store.run(run_id).read_state() for run_id in ids]
    _log.info("%d runs: %s", len(ids), ", ".join(sorted(set(states))))
    return ExitCode.FINISHED_WITH_FAILURES if any(state.is_failed for state in states) else ExitCode.SUCCESS


def _is_first() -> bool:
    """Return whether this is the first task of its element; srun returns the highest exit code of all tasks."""
    return int(os.environ.get("SLURM_PROCID") or 0) == 0


def has_ended(store: Store, run_id: str, *, manifest: Manifest) -> bool:
    """Return whether a run is done, or has failed since it was submitted; an earlier failure is retried."""
    record = store.run(run_id).read_snapshot().record
    if record is None:
        return False
    return record.state is RunState.DONE or record.attempts > manifest.attempts.get(run_id, 0)


def _run_pool(store: Store, manifest: Manifest, ids: Sequence[str]) -> None:
    """Work on runs, each in its own process, some of them at a time."""
    run_all(
        [store.run(run_id).read_spec() for run_id in ids],
        store=store,
        jobs=manifest.concurrent_runs,
        resources=_make_worker_resources(manifest),
        start=fork_worker if len(ids) > manifest.concurrent_runs else None,
        retry=RetryPolicy(manifest.max_attempts_without_progress, manifest.attempts),
        grace_s=manifest.grace_s,
        observe=_OutcomeLogger(),
    )


def _run_spread(store: Store, manifest: Manifest, run_id: str) -> int:
    """Work on this task's part of a run that is spread over several tasks, and return the exit code.

    SLURM ends the other tasks if this one fails.
    """
    is_first, run = _is_first(), store.run(run_id)
    spec, number = run.read_spec(), len(run.read_attempts()) + 1
    stalls = run.count_stalls(after=manifest.attempts.get(run_id, 0))
    if is_first and stalls >= manifest.max_attempts_without_progress:
        record_failure(spec, explain_stall(stalls, log_tail=run.read_log_tail()), store=store)
        return ExitCode.FINISHED_WITH_FAILURES
    process = start_worker(spec, store=store, resources=_make_worker_resources(manifest), is_assistant=not is_first)
    try:
        code = process.wait()
    finally:
        end_processes([process], grace_s=manifest.grace_s)
    _log.info("%s: task %s ended with %d", run_id, os.environ.get("SLURM_PROCID"), code)
    if code in (ExitCode.BUSY, ExitCode.SUPERSEDED):  # another process works on the run: end all tasks, do not requeue
        return ExitCode.FINISHED_WITH_FAILURES
    if code in (ExitCode.SUCCESS, ExitCode.FINISHED_WITH_FAILURES):
        return code
    if is_first and len(run.read_attempts()) < number:
        run.begin_attempt(spec)  # a process that dies before it begins has used up an attempt too
    return ExitCode.REQUEUE


def _make_worker_resources(manifest: Manifest) -> WorkerResources:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    devices = tuple(filter(None, visible.split(","))) if manifest.concurrent_runs > 1 else ()
    return WorkerResources(
        manifest.threads,
        manifest.workers,
        manifest.checkpoint_every,
        manifest.measures_cost,
        devices,
        submitted_code=manifest.code,
    )


class _OutcomeLogger:
    """Observer of the pool that logs every outcome once."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def __call__(self, snapshot: PoolSnapshot) -> None:
        for run_id in snapshot.outcomes.keys() - self._logged:
            outcome = snapshot.outcomes[run_id]
            _log.info("%s: %s %s", run_id, outcome.state, outcome.message)
            self._logged.add(run_id)


if __name__ == "__main__":
    sys.exit(main())
