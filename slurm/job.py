"""What a node runs: `python -m slurm.job MANIFEST`, the element of an array that SLURM names.

It starts one process a run, starts those again that die, and tells them to save and end when SLURM warns it. It holds
no result: every run writes its own record. A run that is spread over several tasks has one process in each, and where
one of them dies the element as a whole goes back into the queue.

It ends with 0 when all runs are done, with 3 when some failed, with `AGAIN` when the element is to be queued again,
which the batch script does; SLURM queues nothing again that was cancelled.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.execution.local_pool import Lives, Snapshot, run_all
from benchmark.execution.worker_process import Resources, end_processes, start_warm, start_worker
from benchmark.store import failures
from benchmark.store.failures import log_tail, no_progress, record_failure
from benchmark.store.store import Store
from benchmark.utils.lock import JOB, Job
from slurm.requests.manifest import Manifest, mark_sent, read_manifest
from slurm.requests.sbatch import AGAIN

FAILED = 3
WARNINGS = (signal.SIGUSR2, signal.SIGTERM)

_log = logging.getLogger("job")


def _warn(_number: int, _frame: object) -> None:
    """SLURM is about to end this job. More such signals may follow; what the first one began goes on undisturbed."""
    for number in WARNINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Work on the runs of one element; returns the exit code."""
    parser = argparse.ArgumentParser(description="Work on the runs of one element of a job array.")
    parser.add_argument("manifest", type=Path)
    path = parser.parse_args(arguments).manifest
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    manifest = read_manifest(path)
    os.environ.update(manifest.variables)
    job = this_job(os.environ)
    os.environ[JOB] = job.canonical()
    mark_sent(path.parent, array_of(os.environ))
    ids = manifest.tasks[int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))]
    _log.info("%s, start %d, on %s: %s", job.id, job.restart + 1, job.node, ", ".join(ids))
    for number in WARNINGS:
        signal.signal(number, _warn)
    return _work(manifest, ids)


def this_job(environment: Mapping[str, str]) -> Job:
    """The job of this process, from SLURM's variables."""
    # not SLURM_JOB_ID: the last element of an array has that of the array
    element = f"{array_of(environment)}_{environment.get('SLURM_ARRAY_TASK_ID', '0')}"
    return Job(
        id=f"slurm {environment.get('SLURM_CLUSTER_NAME', '')} {element}",
        restart=int(environment.get("SLURM_RESTART_COUNT") or 0),  # not set on the first start
        node=environment.get("SLURMD_NODENAME", ""),
    )


def array_of(environment: Mapping[str, str]) -> str:
    """The id of the array that an element belongs to, or of the job where there is no array."""
    return environment.get("SLURM_ARRAY_JOB_ID") or environment.get("SLURM_JOB_ID", "")


def _work(manifest: Manifest, ids: Sequence[str]) -> int:
    store = Store(manifest.store)
    is_spread = int(os.environ.get("SLURM_NTASKS") or 1) > 1
    try:
        still_open = [run_id for run_id in ids if not has_ended(store, run_id, manifest=manifest)]
        if is_spread and still_open:
            return _together(store, manifest, still_open[0])
        _side_by_side(store, manifest, still_open)
    except KeyboardInterrupt:
        if not all(has_ended(store, run_id, manifest=manifest) for run_id in ids):
            _log.info("told to end, to be queued again")
            return AGAIN if _is_first() else 0
    states = [store.state(run_id) for run_id in ids]
    _log.info("%d runs: %s", len(ids), ", ".join(sorted(set(states))))
    return FAILED if "failed" in states or "broken" in states else 0


def _is_first() -> bool:
    """Whether this is the first task of its element; srun passes on the highest exit code of them all."""
    return int(os.environ.get("SLURM_PROCID") or 0) == 0


def has_ended(store: Store, run_id: str, *, manifest: Manifest) -> bool:
    """Whether a run is done, or has failed since it was submitted; a failure before that is tried again."""
    state = store.state(run_id)
    return state == "done" or (state == "failed" and store.record(run_id).attempts > manifest.attempts.get(run_id, 0))


def _side_by_side(store: Store, manifest: Manifest, ids: Sequence[str]) -> None:
    run_all(
        [store.spec(run_id) for run_id in ids],
        store=store,
        jobs=manifest.at_once,
        each=_each(manifest),
        start=start_warm if len(ids) > manifest.at_once else None,
        lives=Lives(manifest.lives, manifest.attempts),
        grace_s=manifest.grace_s,
        observe=_Endings(),
    )


def _together(store: Store, manifest: Manifest, run_id: str) -> int:
    """This task's part of a run that is spread over several; SLURM ends the other tasks where this one fails."""
    is_first = _is_first()
    number = len(store.attempts(run_id)) + 1
    stalls = store.stalls(run_id, after=manifest.attempts.get(run_id, 0))
    if is_first and stalls >= manifest.lives:
        record_failure(store.spec(run_id), no_progress(stalls, log_tail=log_tail(store, run_id)), store=store)
        return FAILED
    process = start_worker(store.spec(run_id), store=store, each=_each(manifest), is_assistant=not is_first)
    try:
        code = process.wait()
    finally:
        end_processes([process], grace_s=manifest.grace_s)
    _log.info("%s: task %s ended with %d", run_id, os.environ.get("SLURM_PROCID"), code)
    if code in (failures.BUSY, failures.SUPERSEDED):
        return FAILED  # the run is another's: no other start of this element, and an end to its other tasks
    if code in (0, FAILED):
        return code
    if is_first and len(store.attempts(run_id)) < number:
        store.begin_attempt(store.spec(run_id))  # in its stead: a process that dies early has used up a life too
    return AGAIN


def _each(manifest: Manifest) -> Resources:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    devices = tuple(filter(None, visible.split(","))) if manifest.at_once > 1 else ()
    return Resources(manifest.threads, manifest.workers, manifest.checkpoint_every, devices)


class _Endings:
    """Logs every ending once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, snapshot: Snapshot) -> None:
        for run_id in snapshot.outcomes.keys() - self._told:
            outcome = snapshot.outcomes[run_id]
            _log.info("%s: %s %s", run_id, outcome.state, outcome.message)
            self._told.add(run_id)


if __name__ == "__main__":
    sys.exit(main())
