"""Dispatch of one job array: its specs and its manifest are written, it is sent, and its number is recorded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.lock import release_lock
from slurm.grid import Grid
from slurm.requests import manifest as manifests
from slurm.requests.arrays import JobArray
from slurm.requests.delivery import deliver_array
from slurm.requests.manifest import Manifest, SentJob, Submission
from slurm.requests.sbatch import ArrayRequest, find_requested_clusters
from slurm.scheduler.nodes import choose_avoidable, query_nodes

WRITERS = 8
"""Files written at a time."""

MIN_GRACE_S, MARGIN_S = 5.0, 15.0
"""Least time that runs have to save their state, and the part of the warning time that is left to the job itself."""


def dispatch_array(
    array: JobArray, specs: Mapping[str, RunSpec], *, grid: Grid, failed_nodes: Mapping[str, str], cluster: str
) -> Submission:
    """Write the specs and the manifest of an array, send the array, and record its number and cluster.

    Args:
        array: Array to send.
        specs: Specs of its runs, by ID.
        grid: Runs to submit, and their destination.
        failed_nodes: Nodes that the array should avoid, and why.
        cluster: Name of the default cluster of this machine; empty if unknown.

    Raises:
        SubmissionRefusedError: Nothing was queued; the submission is withdrawn.
        SubmissionUncertainError: The array may have been queued.
        ValueError: The clusters are not named one by one.
    """
    from benchmark.execution.submitted_code import digest_codes

    members = {run_id: specs[run_id] for ids in array.tasks for run_id in ids}
    changes = {"code": digest_codes(members.values()), "avoided_nodes": _choose_avoided_nodes(array, failed_nodes)}
    manifest = make_manifest(array, grid).model_copy(update=changes)
    _write_specs(members, store=grid.store)
    folder = manifests.write_manifest(grid.store, manifest).parent
    try:
        queued = deliver_array(make_request(array, manifest, grid.store))
    except ValueError:
        manifests.withdraw(folder)
        raise
    cluster = queued.cluster or cluster
    manifests.mark_sent(folder, queued.job, cluster=cluster)
    return Submission(folder, manifest, SentJob(job=queued.job, time=time.time(), cluster=cluster))


def make_manifest(array: JobArray, grid: Grid) -> Manifest:
    """Return the manifest of an array, without the digests of its code.

    Raises:
        ValueError: The clusters are not named one by one.
    """
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
        clusters=find_requested_clusters(resources),
    )


def make_request(array: JobArray, manifest: Manifest, store: Store) -> ArrayRequest:
    """Return the request for an array whose elements work on the tasks of a manifest."""
    folder = manifests.get_submission_folder(store, manifest.id).absolute()
    return ArrayRequest(
        name=manifest.name,
        comment=manifest.comment,
        command=("-m", "slurm.job", str(folder / "manifest.json")),
        tasks=len(array.tasks),
        folder=folder,
        resources=array.resources,
        clusters=manifest.clusters,
        exclude=tuple(sorted(manifest.avoided_nodes)),
    )


def _choose_avoided_nodes(array: JobArray, failed_nodes: Mapping[str, str]) -> dict[str, str]:
    """Return the failed nodes that an array avoids; none if the profile names the nodes itself or forbids it."""
    resources = array.resources
    if not failed_nodes or resources.nodelist or not resources.avoids_failed_nodes:
        return {}
    cluster = find_requested_clusters(resources).split(",")[0]
    return choose_avoidable(
        failed_nodes,
        query_nodes(partition=resources.partition or "", cluster=cluster),
        num_needed=resources.nodes,
        constraint=resources.constraint or "",
        needs_gpus=resources.gpus > 0,
    )


def _write_specs(specs: Mapping[str, RunSpec], *, store: Store) -> None:
    """Write specs, and remove the locks of processes that are known to have ended."""
    with ThreadPoolExecutor(WRITERS) as writers:  # each write waits for the disk
        _ = list(writers.map(lambda spec: store.run(spec.id).write_spec(spec), specs.values()))
    for run in map(store.run, specs):
        if run.lock_path.exists() and run.read_state() is RunState.RUNNING:
            release_lock(run.path)
