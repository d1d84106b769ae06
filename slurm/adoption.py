"""Jobs of submitters that died before they recorded the job IDs, found again by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmark.store.store import Store
from slurm.requests import manifest as manifests
from slurm.requests.manifest import Submission
from slurm.requests.sbatch_output import QueuedArray, SubmissionUncertainError
from slurm.scheduler.clusters import choose_route, find_default_cluster
from slurm.scheduler.queue import find_jobs


def adopt_submissions(store: Store) -> int:
    """Find the jobs of submitters that died before they recorded the job IDs, and return the number of these jobs.

    A submission that the scheduler does not know, and whose submitter has died, was never sent: it is withdrawn.

    Raises:
        SubmissionUncertainError: The scheduler does not answer.
    """
    strays = [submission for submission in manifests.read_submissions(store) if submission.sent is None]
    if not strays:
        return 0
    arrays = dict(_find_arrays(strays))
    for stray in strays:
        if stray.manifest.name in arrays:
            array = arrays[stray.manifest.name]
            manifests.mark_sent(stray.folder, array.job, cluster=array.cluster)
        elif not (stray.folder / "job.json").exists():
            manifests.withdraw(stray.folder)
    return sum((stray.folder / "job.json").exists() for stray in strays)


def _find_arrays(strays: Iterable[Submission]) -> Iterator[tuple[str, QueuedArray]]:
    """Yield the names of the jobs on all clusters that the submissions may have reached, and the jobs."""
    oldest: dict[str, float] = {}
    for stray in strays:
        for cluster in stray.manifest.clusters.split(","):
            created = stray.manifest.created
            oldest[cluster] = min(oldest.get(cluster, created), created)
    default = find_default_cluster()
    for cluster, since in oldest.items():
        queue = find_jobs("cb-", since=since, cluster=choose_route(cluster, default=default, requested=cluster))
        if not queue.reachable:
            reason = "; ".join(queue.notes)
            message = f"an earlier submission may have reached SLURM, which does not answer ({reason}): try again later"
            raise SubmissionUncertainError(message)
        yield from ((job.name, QueuedArray(job.job, cluster or default)) for job in queue.jobs.values())
