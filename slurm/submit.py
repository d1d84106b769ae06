"""Submission of a grid: finished and active runs are left out, the others go into as few job arrays as possible.

A submitter may be killed at any time, because it works in this order: it writes specs and manifest, sends the job, and
records the job ID. A job that was sent but not recorded is found again by its name. Only one submitter at a time works
on a store.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmark.core.run_spec import RunSpec
from benchmark.store.store import Store
from benchmark.utils.lock import BusyError, hold_lock
from benchmark.utils.optional_packages import require_engine
from slurm.adoption import adopt_submissions
from slurm.dispatch import dispatch_array, make_manifest, make_request
from slurm.grid import Grid
from slurm.requests import manifest as manifests
from slurm.requests.arrays import JobArray, fit_queue, make_arrays
from slurm.requests.manifest import Submission
from slurm.requests.profile import SlurmProfile
from slurm.requests.sbatch import check_folder, render_script
from slurm.requests.sbatch_output import QueueFullError, SubmissionRefusedError
from slurm.scheduler.cluster_config import (
    ClusterConfig,
    SlurmUnreachableError,
    query_cluster_config,
    query_submit_limit,
)
from slurm.scheduler.clusters import find_default_cluster
from slurm.scheduler.queue import count_queued
from slurm.status.grid_queue import query_grid_history
from slurm.status.node_faults import find_avoided_nodes, find_failed_nodes
from slurm.status.reconcile import reconcile
from slurm.status.run_status import GridStatus, RunStatus, query_status

DEFAULT_MAX_ARRAY_SIZE = 1000
"""Largest array if the cluster does not report a limit: SLURM's own default."""
LOCK_TIMEOUT_S = 120.0
"""Longest time to wait for another submitter."""


@dataclass(frozen=True)
class Receipt:
    """Result of a submission.

    Attributes:
        sent: Submissions that were sent now.
        before: Status of all runs before anything was sent.
        adopted: Number of submissions of an interrupted submitter that were found in the queue.
        num_waiting: Number of runs for which the queue has no room; the same command sends them later.
    """

    sent: tuple[Submission, ...]
    before: GridStatus
    adopted: int = 0
    num_waiting: int = 0

    @property
    def num_sent(self) -> int:
        """Number of runs that were sent."""
        return sum(len(ids) for submission in self.sent for ids in submission.manifest.tasks)


def submit(grid: Grid) -> Receipt:
    """Submit the runs of a grid that are neither finished nor active.

    Raises:
        BusyError: Another submitter is at work.
        SubmissionRefusedError: The scheduler accepted none of the arrays, or not all; accepted arrays are recorded.
        SubmissionUncertainError: It is not known whether the scheduler accepted an array; the next call finds out.
        ValueError: The profile does not fit a run, an engine is not installed, a file is broken, or SLURM would misread
            the name of the store; in the last case nothing is written.
        OSError: A file cannot be written; everything that was sent is recorded.
    """
    check_folder(grid.store.root.absolute())
    with _lock_submissions(grid.store):
        adopted = adopt_submissions(grid.store)
        before = query_status(grid.store, grid.ids)
        failed = set(reconcile(grid.store, before.runs))
        open_ids = [run.id for run in before.runs if is_open(run, retry=grid.retry, failed=failed)]
        specs = {spec.id: spec for spec in grid.specs(open_ids)} if open_ids else {}
        _require_engines(specs.values(), profile=grid.profile)
        if not specs:
            return Receipt((), before, adopted)
        config = _query_config(grid)
        arrays, num_waiting = _make_fitting_arrays(list(specs.values()), grid, config=config)
        failed_nodes = _find_failed_nodes(grid, [run for run in before.runs if run.id in specs])
        default = config.cluster if not grid.cluster else find_default_cluster()
        sent: list[Submission] = []
        for array in arrays:
            try:
                sent.append(dispatch_array(array, specs, grid=grid, failed_nodes=failed_nodes, cluster=default))
            except QueueFullError:
                num_waiting += sum(array.num_runs for array in arrays[len(sent) :])
                break
        return Receipt(tuple(sent), before, adopted, num_waiting)


def _require_engines(specs: Iterable[RunSpec], *, profile: SlurmProfile) -> None:
    """Check that the engines are installed, unless the profile gives the jobs another Python environment.

    Raises:
        ValueError: An engine is not installed.
    """
    if profile.base.python or profile.base.container or profile.base.setup:
        return
    for engine in {spec.engine for spec in specs}:
        require_engine(engine)


def preview(grid: Grid) -> list[tuple[JobArray, str]]:
    """Return the arrays that `submit` would send, with their scripts; send and write nothing.

    Raises:
        ValueError: The profile does not fit a run, or SLURM would misread the name of the store.
    """
    check_folder(grid.store.root.absolute())
    runs = query_status(grid.store, grid.ids).runs
    open_ids = [run.id for run in runs if is_open(run, retry=grid.retry)]
    specs = grid.specs(open_ids) if open_ids else []
    arrays = make_arrays(specs, profile=grid.profile, study=grid.study, max_size=_get_max_array_size(grid))
    return [(array, render_script(make_request(array, make_manifest(array, grid), grid.store))) for array in arrays]


def is_open(run: RunStatus, *, retry: bool, failed: set[str] | frozenset[str] = frozenset()) -> bool:
    """Return whether a run is to be submitted.

    Args:
        run: Status of the run.
        retry: Whether failed runs are submitted too.
        failed: IDs of runs that were found to have failed since their status was determined.
    """
    if run.is_unreadable:
        return False
    if run.id in failed or run.state.is_failed:
        return retry
    return run.state.is_startable


def _get_max_array_size(grid: Grid) -> int:
    """Return the largest number of elements in an array; SLURM's default if SLURM does not answer."""
    try:
        return query_cluster_config(cluster=grid.cluster).max_array_size or DEFAULT_MAX_ARRAY_SIZE
    except SlurmUnreachableError:
        return DEFAULT_MAX_ARRAY_SIZE


def _query_config(grid: Grid) -> ClusterConfig:
    """Return the configuration of the cluster that a grid is submitted to.

    Raises:
        SubmissionRefusedError: The cluster does not answer.
    """
    try:
        return query_cluster_config(cluster=grid.cluster)
    except SlurmUnreachableError as error:
        raise SubmissionRefusedError(f"SLURM does not answer: {error}") from error


def _make_fitting_arrays(specs: Sequence[RunSpec], grid: Grid, *, config: ClusterConfig) -> tuple[list[JobArray], int]:
    """Return the arrays that the queue has room for, and the number of runs that have to wait."""
    max_size = config.max_array_size or DEFAULT_MAX_ARRAY_SIZE
    arrays = make_arrays(specs, profile=grid.profile, study=grid.study, max_size=max_size)
    return fit_queue(arrays, _count_free_slots(arrays[0], config, grid=grid))


def _count_free_slots(array: JobArray, config: ClusterConfig, *, grid: Grid) -> int | None:
    """Return how many elements the queue still takes; None if there is no known limit."""
    resources = array.resources
    account, qos, partition = (name or "" for name in (resources.account, resources.qos, resources.partition))
    limit = grid.profile.max_submit or query_submit_limit(config, account=account, qos=qos, partition=partition)
    return None if limit is None else limit - count_queued(cluster=grid.cluster)


def _find_failed_nodes(grid: Grid, runs: Sequence[RunStatus]) -> dict[str, str]:
    """Return the nodes that runs should avoid, and why: the nodes that failed under them, or under others recently."""
    history = query_grid_history(grid.store, {run.id for run in runs})
    return find_failed_nodes(grid.store, runs, history=history.starts) | find_avoided_nodes(grid.store)


@contextmanager
def _lock_submissions(store: Store) -> Iterator[None]:
    """Hold the lock of all submitters; a second submitter waits, and then finds everything sent."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(hold_lock(store.root / manifests.FOLDER))
                break
            except BusyError as error:
                if time.monotonic() > deadline:
                    message = f"another submitter is at work on {store.root} ({error}): try again later"
                    raise BusyError(message) from error
                time.sleep(0.2)
        yield
