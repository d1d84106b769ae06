"""Delivery of an array to a busy controller: refusals are retried, and arrays whose answer was lost are looked for."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from slurm.requests.sbatch import ArrayRequest, send_array
from slurm.requests.sbatch_output import (
    ControllerBusyError,
    QueuedArray,
    QueueFullError,
    SubmissionUncertainError,
)
from slurm.scheduler.queue import cancel_jobs, find_jobs

RETRY_PAUSES_S = (2.0, 5.0, 15.0)
"""Pauses between the tries of a submission."""
SEARCH_PAUSES_S = (2.0, 5.0, 15.0)
"""Pauses before each search for an array whose answer was lost; a busy controller may still be working on it."""

GIVE_UP_S = 30.0
"""Time since the first try after which no other try or search begins."""

_log = logging.getLogger(__name__)


def deliver_array(request: ArrayRequest) -> QueuedArray:
    """Hand an array to sbatch until it is queued, and return it; its cluster is empty for the default cluster.

    An array whose answer was lost is looked for by its name, which is unique, and sent again only if SLURM answers and
    does not know it.

    Raises:
        SubmissionRefusedError: Nothing was queued.
        QueueFullError: Nothing was queued, because the queue is full.
        SubmissionUncertainError: The array may have been queued.
    """
    since, was_lost = time.time(), False
    for number, pause in enumerate((*RETRY_PAUSES_S, None)):
        try:
            array = _complete(request, send_array(request), since=since)
            return _drop_duplicates(request, array, since=since) if was_lost else array
        except (ControllerBusyError, QueueFullError) as error:
            if pause is None:
                raise
            if number == 0:
                reason = str(error).partition(";")[0]
                _log.warning("%s; trying again for up to %.0f s", reason, sum(RETRY_PAUSES_S))
            time.sleep(pause)
        except SubmissionUncertainError as error:
            left_s = max(0.0, GIVE_UP_S - (time.time() - since))
            _log.warning("%s; looking for it in the queue, and trying again, for up to %.0f s", error, left_s)
            found = _search(request, since=since)
            if found is not None:
                return found
            if pause is None or time.time() - since + SEARCH_PAUSES_S[0] > GIVE_UP_S:
                raise SubmissionUncertainError(
                    f"{error}: run the same command again later, see {request.folder}"
                ) from error
            was_lost = True
    raise AssertionError("the last try either returns or raises")


def _list_clusters(request: ArrayRequest) -> list[str]:
    """Return the clusters that may have queued an array; an empty name stands for the default cluster."""
    return request.clusters.split(",") if request.clusters else [""]


def _complete(request: ArrayRequest, array: QueuedArray, *, since: float) -> QueuedArray:
    """Return an array with its cluster, which a wrapper of sbatch may have left out."""
    clusters = _list_clusters(request)
    if array.cluster or len(clusters) == 1:
        return replace(array, cluster=array.cluster or clusters[0])
    return _search(request, since=since) or array


def _search(request: ArrayRequest, *, since: float) -> QueuedArray | None:
    """Look for an array by its name; return None if SLURM answers and does not know it.

    Raises:
        SubmissionUncertainError: SLURM does not answer.
    """
    notes: tuple[str, ...] = ()
    for number, pause in enumerate(SEARCH_PAUSES_S):
        if number and time.time() - since + pause > GIVE_UP_S:
            break
        time.sleep(pause)
        queues = {cluster: find_jobs(request.name, since=since, cluster=cluster) for cluster in _list_clusters(request)}
        for cluster, queue in queues.items():
            for job in queue.jobs.values():
                return QueuedArray(job.job, cluster)
        notes = tuple(note for queue in queues.values() if not queue.reachable for note in queue.notes)
    if notes:
        raise SubmissionUncertainError(
            f"{request.name} may have been submitted, and SLURM does not answer ({'; '.join(notes)}): run the same "
            "command again later, which finds it by its name or submits it"
        )
    return None


def _drop_duplicates(request: ArrayRequest, array: QueuedArray, *, since: float) -> QueuedArray:
    """Cancel arrays of the same name that turned up after all, and return the one to keep."""
    for cluster in _list_clusters(request):
        queue = find_jobs(request.name, since=since, cluster=cluster)
        others = {job.job for job in queue.jobs.values() if (job.job, cluster) != (array.job, array.cluster)}
        _ = cancel_jobs(others, cluster=cluster)
    return array
