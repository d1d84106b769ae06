"""Submission of a grid: finished and active runs are left out, the others go into as few job arrays as possible.

A submitter may be killed at any time, because it works in this order: it writes specs and manifest, sends the job, and
records the job ID. A job that was sent but not recorded is found again by its name. Only one submitter at a time works
on a store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.lock import BusyError, hold_lock, release_lock
from benchmark.utils.optional_packages import require_engine
from slurm.requests import manifest as manifests
from slurm.requests.arrays import JobArray, fit_queue, make_arrays
from slurm.requests.manifest import Manifest, SentJob, Submission
from slurm.requests.profile import SlurmProfile
from slurm.requests.sbatch import (
    ArrayRequest,
    QueueFullError,
    SubmissionRefusedError,
    SubmissionUncertainError,
    render_script,
    send_array,
)
from slurm.scheduler.cluster_config import (
    ClusterConfig,
    SlurmUnreachableError,
    query_cluster_config,
    query_submit_limit,
)
from slurm.scheduler.queue import count_queued, find_jobs
from slurm.status.reconcile import reconcile
from slurm.status.run_status import GridStatus, RunStatus, query_status

DEFAULT_MAX_ARRAY_SIZE = 1000
"""Largest array if the cluster does not report a limit: SLURM's own default."""
WRITERS = 8
"""Files written at a time."""
LOCK_TIMEOUT_S = 120.0
"""Longest time to wait for another submitter."""

MIN_GRACE_S, MARGIN_S = 5.0, 15.0
"""Least time that runs have to save their state, and the part of the warning time that is left to the job itself."""


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


@dataclass(frozen=True)
class Grid:
    """Runs to submit, and their destination.

    Attributes:
        ids: IDs of all runs.
        specs: Function that returns the specs of some of the runs.
        store: Store of the runs; the nodes must see it under the same path.
        study: Name of the plan.
        profile: Profile of the cluster.
        retry: Whether failed runs are submitted too.
    """

    ids: Sequence[str]
    specs: Callable[[Sequence[str]], Sequence[RunSpec]]
    store: Store
    study: str
    profile: SlurmProfile
    retry: bool = False


def submit(grid: Grid) -> Receipt:
    """Submit the runs of a grid that are neither finished nor active.

    Raises:
        BusyError: Another submitter is at work.
        SubmissionRefusedError: The scheduler accepted none of the arrays, or not all; accepted arrays are recorded.
        SubmissionUncertainError: It is not known whether the scheduler accepted an array; the next call finds out.
        ValueError: The profile does not fit a run, an engine is not installed, or a file is broken.
        OSError: A file cannot be written; everything that was sent is recorded.
    """
    with _lock_submissions(grid.store):
        adopted = adopt_submissions(grid.store)
        before = query_status(grid.store, grid.ids)
        failed = set(reconcile(grid.store, before.runs))
        open_ids = [run.id for run in before.runs if is_open(run, retry=grid.retry, failed=failed)]
        specs = {spec.id: spec for spec in grid.specs(open_ids)} if open_ids else {}
        _require_engines(specs.values(), profile=grid.profile)
        arrays, num_waiting = _make_fitting_arrays(list(specs.values()), grid) if specs else ([], 0)
        sent: list[Submission] = []
        for array in arrays:
            _write_specs(array, specs, store=grid.store)
            try:
                sent.append(_send(array, grid))
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
    """Return the arrays that `submit` would send, with their scripts; send and write nothing."""
    runs = query_status(grid.store, grid.ids).runs
    open_ids = [run.id for run in runs if is_open(run, retry=grid.retry)]
    specs = grid.specs(open_ids) if open_ids else []
    arrays = make_arrays(specs, profile=grid.profile, study=grid.study, max_size=_get_max_array_size())
    return [(array, render_script(_make_request(array, _make_manifest(array, grid), grid.store))) for array in arrays]


def is_open(run: RunStatus, *, retry: bool, failed: set[str] | frozenset[str] = frozenset()) -> bool:
    """Return whether a run is to be submitted.

    Args:
        run: Status of the run.
        retry: Whether failed runs are submitted too.
        failed: IDs of runs that were found to have failed since their status was determined.
    """
    if run.id in failed or run.state.is_failed:
        return retry
    return run.state.is_startable


def adopt_submissions(store: Store) -> int:
    """Find the jobs of submitters that died before they recorded the job IDs, and return the number of these jobs.

    A submission that the scheduler does not know, and whose submitter has died, was never sent: it is withdrawn.

    Raises:
        SubmissionUncertainError: The scheduler does not answer.
    """
    strays = [submission for submission in manifests.read_submissions(store) if submission.sent is None]
    if not strays:
        return 0
    queue = find_jobs("cb-", since=min(stray.manifest.created for stray in strays))
    if not queue.reachable:
        reason = "; ".join(queue.notes)
        message = f"an earlier submission may have reached SLURM, which does not answer ({reason}): try again later"
        raise SubmissionUncertainError(message)
    job_ids = {job.name: job.job for job in queue.jobs.values()}
    for stray in strays:
        if stray.manifest.name in job_ids:
            manifests.mark_sent(stray.folder, job_ids[stray.manifest.name])
        elif not (stray.folder / "job.json").exists():
            manifests.withdraw(stray.folder)
    return sum((stray.folder / "job.json").exists() for stray in strays)


def _get_max_array_size() -> int:
    """Return the largest number of elements in an array; SLURM's default if SLURM does not answer."""
    try:
        return query_cluster_config().max_array_size or DEFAULT_MAX_ARRAY_SIZE
    except SlurmUnreachableError:
        return DEFAULT_MAX_ARRAY_SIZE


def _make_fitting_arrays(specs: Sequence[RunSpec], grid: Grid) -> tuple[list[JobArray], int]:
    """Return the arrays that the queue has room for, and the number of runs that have to wait."""
    try:
        config = query_cluster_config()
    except SlurmUnreachableError as error:
        raise SubmissionRefusedError(f"SLURM does not answer: {error}") from error
    max_size = config.max_array_size or DEFAULT_MAX_ARRAY_SIZE
    arrays = make_arrays(specs, profile=grid.profile, study=grid.study, max_size=max_size)
    return fit_queue(arrays, _count_free_slots(arrays[0], config, profile=grid.profile))


def _count_free_slots(array: JobArray, config: ClusterConfig, *, profile: SlurmProfile) -> int | None:
    """Return how many elements the queue still takes; None if there is no known limit."""
    resources = array.resources
    account, qos, partition = (name or "" for name in (resources.account, resources.qos, resources.partition))
    limit = profile.max_submit or query_submit_limit(config, account=account, qos=qos, partition=partition)
    return None if limit is None else limit - count_queued()


def _write_specs(array: JobArray, specs: Mapping[str, RunSpec], *, store: Store) -> None:
    """Write the specs of an array's runs, and remove the locks of processes that are known to have ended."""
    members = [specs[run_id] for ids in array.tasks for run_id in ids]
    with ThreadPoolExecutor(WRITERS) as writers:  # each write waits for the disk
        list(writers.map(lambda spec: store.run(spec.id).write_spec(spec), members))
    for run in (store.run(spec.id) for spec in members):
        if run.lock_path.exists() and run.read_state() is RunState.RUNNING:
            release_lock(run.path)


def _send(array: JobArray, grid: Grid) -> Submission:
    """Write the manifest of an array, send the array, and record its job ID."""
    manifest = _make_manifest(array, grid)
    folder = manifests.write_manifest(grid.store, manifest).parent
    try:
        job = send_array(_make_request(array, manifest, grid.store))
    except SubmissionRefusedError:
        manifests.withdraw(folder)
        raise
    manifests.mark_sent(folder, job)
    return Submission(folder, manifest, SentJob(job=job, time=time.time()))


def _make_manifest(array: JobArray, grid: Grid) -> Manifest:
    resources, per_run = array.resources, array.resources.per_run
    attempts = {run_id: len(grid.store.run(run_id).read_attempts()) for ids in array.tasks for run_id in ids}
    return Manifest(
        id=manifests.make_submission_id(grid.study),
        study=grid.study,
        profile=grid.profile.name,
        created=time.time(),
        tasks=array.tasks,
        attempts={run_id: count for run_id, count in attempts.items() if count},
        max_attempts_without_progress=resources.max_attempts_without_progress,
        concurrent_runs=resources.concurrent_runs,
        threads=per_run.threads,
        workers=per_run.workers,
        checkpoint_every=per_run.checkpoint_every,
        measures_cost=per_run.measures_cost,
        grace_s=max(MIN_GRACE_S, resources.signal_delay_s - MARGIN_S),
        gpus=resources.gpus,
        cpus=resources.cpus,
        store=str(grid.store.root.absolute()),
        variables=manifests.collect_variables(),
    )


def _make_request(array: JobArray, manifest: Manifest, store: Store) -> ArrayRequest:
    folder = manifests.get_submission_folder(store, manifest.id).absolute()
    return ArrayRequest(
        name=manifest.name,
        comment=manifest.comment,
        command=("-m", "slurm.job", str(folder / "manifest.json")),
        tasks=len(array.tasks),
        folder=folder,
        resources=array.resources,
    )


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
