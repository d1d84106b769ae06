"""A grid goes to the scheduler: what is done or alive is left out, the rest goes into as few arrays as possible.

In this order, so that a submitter may die anywhere: runs and manifest are written, the job is sent, its id is kept.
What was sent and not kept is found again by its name. One submitter at a time works on a store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmark.core.run_spec import RunSpec
from benchmark.store.store import Store
from benchmark.utils.lock import Busy, holding, release
from benchmark.utils.optional_packages import require_engine
from slurm.requests import manifest as files
from slurm.requests.arrays import Array, arranged, fitting
from slurm.requests.profile import SlurmProfile
from slurm.requests.sbatch import Batch, LimitReached, SubmissionRefused, Uncertain, script, send
from slurm.scheduler.cluster_config import ClusterSettings, Unreachable, settings, submit_limit
from slurm.scheduler.queue import find, queued
from slurm.status.reconcile import settle
from slurm.status.run_status import Overview, Stand, overview

LARGEST_ARRAY = 1000
"""Where the cluster does not say: SLURM's own default."""
WRITERS = 8
"""Files that are written at a time."""
WAIT_S = 120.0
"""A submitter waits so long for another one to finish."""

LEAST_GRACE_S, MARGIN_S = 5.0, 15.0
"""Of the time between SLURM's warning and the end, so much is left for the job itself."""


@dataclass(frozen=True)
class Receipt:
    """What a submission came to.

    Attributes:
        sent: what reached the scheduler now.
        before: where every run stood when it was looked at.
        adopted: submissions of a submitter that had died, found in the queue.
        waiting: runs that the queue has no room for at present; the same command sends them later.
    """

    sent: tuple[files.Submission, ...]
    before: Overview
    adopted: int = 0
    waiting: int = 0

    @property
    def runs(self) -> int:
        """How many runs were sent."""
        return sum(len(ids) for one in self.sent for ids in one.manifest.tasks)


@dataclass(frozen=True)
class Grid:
    """What is to be sent, and where to.

    Attributes:
        ids: of all its runs.
        specs: gives what to run for some of them.
        store: where runs are kept; the nodes must see it at the same path.
        study: what the plan is called.
        profile: of the cluster.
        retry: send failed runs too.
    """

    ids: Sequence[str]
    specs: Callable[[Sequence[str]], Sequence[RunSpec]]
    store: Store
    study: str
    profile: SlurmProfile
    retry: bool = False


def submit(grid: Grid) -> Receipt:
    """Send what is open of a grid.

    Raises:
        Busy: another submitter is at work.
        SubmissionRefused: the scheduler takes none of it, or not all of it; what it took is kept.
        Uncertain: nobody knows whether the scheduler took it; the next call finds out.
        ValueError: the profile does not fit a run, an engine is not installed, or a file is broken.
        OSError: a file cannot be written; nothing was sent that is not kept.
    """
    with _alone(grid.store):
        adopted = adopt(grid.store)
        before = overview(grid.store, grid.ids)
        failed = set(settle(grid.store, before.stands))
        open_ids = [stand.id for stand in before.stands if is_open(stand, retry=grid.retry, failed=failed)]
        specs = {spec.id: spec for spec in grid.specs(open_ids)} if open_ids else {}
        _require_engines(specs.values(), profile=grid.profile)
        arrays, waiting = _fitting(list(specs.values()), grid) if specs else ([], 0)
        sent: list[files.Submission] = []
        for array in arrays:
            _lay_down(array, specs, store=grid.store)
            try:
                sent.append(_send(array, grid))
            except LimitReached:
                waiting += sum(one.runs for one in arrays[len(sent) :])
                break
        return Receipt(tuple(sent), before, adopted, waiting)


def _require_engines(specs: Iterable[RunSpec], *, profile: SlurmProfile) -> None:
    """Raises ValueError where jobs would find an engine missing; not where they may find more than is here."""
    if profile.base.python or profile.base.container or profile.base.setup:
        return
    for engine in {spec.engine for spec in specs}:
        require_engine(engine)


def preview(grid: Grid) -> list[tuple[Array, str]]:
    """What `submit` would send, as arrays with their scripts; sends and writes nothing."""
    stands = overview(grid.store, grid.ids).stands
    open_ids = [stand.id for stand in stands if is_open(stand, retry=grid.retry)]
    specs = grid.specs(open_ids) if open_ids else []
    arrays = arranged(specs, profile=grid.profile, study=grid.study, largest=_largest())
    return [(array, script(_batch(array, _manifest(array, grid), grid.store))) for array in arrays]


def is_open(stand: Stand, *, retry: bool, failed: set[str] | frozenset[str] = frozenset()) -> bool:
    """Whether a run is to be sent.

    Args:
        stand: where it stands.
        retry: whether failed runs are.
        failed: runs that have turned out to have failed since.
    """
    if stand.id in failed or stand.state in ("failed", "broken"):
        return retry
    return stand.state in ("missing", "interrupted", "lost")


def adopt(store: Store) -> int:
    """Find the jobs whose submitter died before it kept their ids; returns how many there are.

    A submission that the scheduler does not know, and whose submitter is gone, was never sent: it is withdrawn.

    Raises:
        Uncertain: the scheduler does not answer, so nobody can tell.
    """
    strays = [one for one in files.submissions(store) if one.sent is None]
    if not strays:
        return 0
    seen = find("cb-", since=min(stray.manifest.created for stray in strays))
    if not seen.reachable:
        reason = "; ".join(seen.notes)
        raise Uncertain(f"an earlier submission may have reached the scheduler, which does not answer ({reason})")
    known = {view.name: view.job for view in seen.jobs.values()}
    for stray in strays:
        if stray.manifest.name in known:
            files.mark_sent(stray.folder, known[stray.manifest.name])
        elif not (stray.folder / "job.json").exists():
            files.withdraw(stray.folder)
    return sum((stray.folder / "job.json").exists() for stray in strays)


def _largest() -> int:
    """Elements that an array may have; the default where there is no SLURM to be asked."""
    try:
        return settings().max_array_size or LARGEST_ARRAY
    except Unreachable:
        return LARGEST_ARRAY


def _fitting(specs: Sequence[RunSpec], grid: Grid) -> tuple[list[Array], int]:
    """Arrays as the cluster takes them, and how many runs have to wait for room in its queue."""
    try:
        cluster = settings()
    except Unreachable as error:
        raise SubmissionRefused(f"SLURM does not answer: {error}") from error
    largest = cluster.max_array_size or LARGEST_ARRAY
    arrays = arranged(specs, profile=grid.profile, study=grid.study, largest=largest)
    return fitting(arrays, _room(arrays[0], cluster, profile=grid.profile))


def _room(array: Array, cluster: ClusterSettings, *, profile: SlurmProfile) -> int | None:
    """Elements that the queue takes at present; None where nobody knows of a limit."""
    asked = array.resources
    account, qos, partition = (name or "" for name in (asked.account, asked.qos, asked.partition))
    limit = profile.max_submit or submit_limit(cluster, account=account, qos=qos, partition=partition)
    return None if limit is None else limit - queued()


def _lay_down(array: Array, specs: Mapping[str, RunSpec], *, store: Store) -> None:
    """Write what an array runs, and take away the locks of processes that are known to be gone."""
    wanted = [specs[run_id] for ids in array.tasks for run_id in ids]
    with ThreadPoolExecutor(WRITERS) as writers:  # each waits for its disk
        list(writers.map(store.write_spec, wanted))
    for spec in wanted:
        if (store.folder(spec.id) / "lock").exists() and store.state(spec.id) == "running":
            release(store.folder(spec.id))


def _send(array: Array, grid: Grid) -> files.Submission:
    manifest = _manifest(array, grid)
    folder = files.write_manifest(grid.store, manifest).parent
    try:
        job = send(_batch(array, manifest, grid.store))
    except SubmissionRefused:
        files.withdraw(folder)
        raise
    files.mark_sent(folder, job)
    return files.Submission(folder, manifest, files.Sent(job=job, time=time.time()))


def _manifest(array: Array, grid: Grid) -> files.Manifest:
    resources, each = array.resources, array.resources.each
    attempts = {run_id: len(grid.store.attempts(run_id)) for ids in array.tasks for run_id in ids}
    return files.Manifest(
        id=files.new_id(grid.study),
        study=grid.study,
        profile=grid.profile.name,
        created=time.time(),
        tasks=array.tasks,
        attempts={run_id: count for run_id, count in attempts.items() if count},
        lives=resources.lives,
        at_once=resources.at_once,
        threads=each.threads,
        workers=each.workers,
        checkpoint_every=each.checkpoint_every,
        grace_s=max(LEAST_GRACE_S, resources.signal_delay_s - MARGIN_S),
        gpus=resources.gpus,
        cpus=resources.cpus,
        store=str(grid.store.root.absolute()),
        variables=files.own_variables(),
    )


def _batch(array: Array, manifest: files.Manifest, store: Store) -> Batch:
    folder = files.folder_of(store, manifest.id).absolute()
    return Batch(
        name=manifest.name,
        comment=manifest.comment,
        command=("-m", "slurm.job", str(folder / "manifest.json")),
        tasks=len(array.tasks),
        folder=folder,
        resources=array.resources,
    )


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """One submitter at a time; a second one waits, and then finds everything sent."""
    until = time.monotonic() + WAIT_S
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(holding(store.root / files.FOLDER))
                break
            except Busy as error:
                if time.monotonic() > until:
                    raise Busy(f"another submitter is at work on {store.root} ({error}): try again later") from error
                time.sleep(0.2)
        yield
