"""What a node runs: `python -m slurm.job MANIFEST`, the element of an array that SLURM names.

It starts one process a run, starts those again that die, and tells them to save and end when SLURM warns it. It holds
no result: every run writes its own record. A run that is spread over several tasks has one process in each, and where
one of them dies the element as a whole goes back into the queue.

It ends with 0 when all runs are done, with 3 when some failed, with `AGAIN` when the element is to be queued again (the
batch script does that), with 130 when it was told to end for good.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.endings import log_tail, no_progress, record_failure
from benchmark.local import Lives, Resources, Snapshot, end_processes, run_all, start_worker
from benchmark.lock import JOB, Job
from benchmark.store import Store
from slurm.sbatch import AGAIN
from slurm.submission import Manifest, mark_sent, read_manifest

FAILED, TOLD = 3, 130

_log = logging.getLogger("job")


class _Warnings:
    """Remembers whether SLURM warned of an end that it wants the job to come back from, which it does by SIGUSR2."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self, number: int, _frame: object) -> None:
        self.came |= number == signal.SIGUSR2
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
    warnings = _Warnings()
    for number in (signal.SIGUSR2, signal.SIGTERM):
        signal.signal(number, warnings)
    return _work(manifest, ids, warnings=warnings)


def this_job(environment: Mapping[str, str]) -> Job:
    """The job of this process, from SLURM's variables."""
    return Job(
        id=f"slurm {environment.get('SLURM_CLUSTER_NAME', '')} {environment.get('SLURM_JOB_ID', '?')}",
        restart=int(environment.get("SLURM_RESTART_COUNT") or 0),  # not set on the first start
        node=environment.get("SLURMD_NODENAME", ""),
    )


def array_of(environment: Mapping[str, str]) -> str:
    """The id of the array that an element belongs to, or of the job where there is no array."""
    return environment.get("SLURM_ARRAY_JOB_ID") or environment.get("SLURM_JOB_ID", "")


def _work(manifest: Manifest, ids: Sequence[str], *, warnings: _Warnings) -> int:
    store = Store(manifest.store)
    is_spread = int(os.environ.get("SLURM_NTASKS") or 1) > 1
    try:
        still_open = [run_id for run_id in ids if not has_ended(store, run_id, manifest=manifest)]
        if is_spread and still_open:
            return _together(store, manifest, still_open[0])
        _side_by_side(store, manifest, still_open)
    except KeyboardInterrupt:
        if not all(has_ended(store, run_id, manifest=manifest) for run_id in ids):
            _log.info("warned of the end: to be queued again" if warnings.came else "told to end")
            return AGAIN if warnings.came else TOLD
    states = [store.state(run_id) for run_id in ids]
    _log.info("%d runs: %s", len(ids), ", ".join(sorted(set(states))))
    return FAILED if "failed" in states or "broken" in states else 0


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
        lives=Lives(manifest.lives, manifest.attempts),
        grace_s=manifest.grace_s,
        observe=_Endings(),
    )


def _together(store: Store, manifest: Manifest, run_id: str) -> int:
    """This task's part of a run that is spread over several; SLURM ends the other tasks where this one fails."""
    is_first = os.environ.get("SLURM_PROCID") == "0"
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
    return code if code in (0, FAILED) else AGAIN


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
