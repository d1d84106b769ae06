"""Nodes under which runs failed by no fault of their own, which the next submission avoids."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from benchmark.core.run_record import Failure
from benchmark.store.store import Store
from slurm.requests.manifest import ignore_problem, read_submissions
from slurm.scheduler.job_info import JobInfo
from slurm.scheduler.nodes import expand_nodes
from slurm.scheduler.states import parse_state
from slurm.status.run_status import RunStatus

MEMORY_S = 3 * 86400.0
"""Time for which later submissions avoid a node that an earlier one avoided."""

_LAUNCH_FAILURE = "JobLaunchFailure"
"""Reason of a job that its node could not start."""

_FAULTS = {
    r"uncorrectable ECC error|double.bit ECC": "uncorrectable memory error of a GPU",
    r"fallen off the bus|GPU is lost": "a GPU was lost",
    r"CUDA driver initialization failed|CUDA unknown error|no CUDA-capable device|driver/library version mismatch": (
        "the GPUs cannot be used"
    ),
    r"Input/output error": "input/output error",
    r"Stale file handle|Transport endpoint is not connected": "a file system is not mounted",
}
"""Messages of failures that are the node's, and what they mean."""


def find_failed_nodes(store: Store, runs: Iterable[RunStatus], *, history: Iterable[JobInfo] = ()) -> dict[str, str]:
    """Return the nodes under which runs failed by no fault of their own, and why, the most frequent first.

    Args:
        store: Store of the runs.
        runs: Current status of the runs.
        history: Earlier starts of their jobs.
    """
    runs = list(runs)
    jobs = {(job.job, job.task, job.started): job for job in [*history, *(run.job for run in runs if run.job)]}
    faults = Counter(
        [
            *(fault for job in jobs.values() for fault in _list_job_faults(job)),
            *(fault for run in runs for fault in _list_run_faults(store, run)),
        ]
    )
    reasons: dict[str, str] = {}
    for (node, reason), count in faults.most_common():
        text = reason if count == 1 else f"{reason}, {count} times"
        reasons[node] = f"{reasons[node]}; {text}" if node in reasons else text
    return reasons


def find_avoided_nodes(store: Store) -> dict[str, str]:
    """Return the nodes that recent submissions avoid, and why."""
    since = time.time() - MEMORY_S
    nodes: dict[str, str] = {}
    for submission in read_submissions(store, notify=ignore_problem):
        nodes |= submission.manifest.avoided_nodes if submission.manifest.created > since else {}
    return nodes


def describe_failed_nodes(store: Store, runs: Iterable[RunStatus], *, history: Iterable[JobInfo] = ()) -> list[str]:
    """Return lines about the nodes that the next submission avoids; none if there are none.

    Args:
        store: Store of the runs.
        runs: Current status of the runs.
        history: Earlier starts of their jobs.
    """
    nodes = find_avoided_nodes(store) | find_failed_nodes(store, runs, history=history)
    return [f"node {node} is avoided by the next submission: {reason}" for node, reason in sorted(nodes.items())]


def explain_node_fault(failure: Failure) -> str:
    """Return why a failure is the fault of its node; empty if it is not."""
    text = f"{failure.message}\n{failure.log_tail}"
    return next((reason for pattern, reason in _FAULTS.items() if re.search(pattern, text, re.IGNORECASE)), "")


def _list_job_faults(job: JobInfo) -> Iterator[tuple[str, str]]:
    """Yield the nodes, with the reason, if the nodes ended a job."""
    state = parse_state(job.state)
    if state.blames_node or job.reason == _LAUNCH_FAILURE:
        reason = f"{state.name}: the job {state.meaning}" if state.blames_node else "the node could not start a job"
        yield from ((node, reason) for node in expand_nodes(job.node))


def _list_run_faults(store: Store, run: RunStatus) -> Iterator[tuple[str, str]]:
    """Yield the node, with the reason, if a run failed because of it."""
    failure = run.record.failure if run.record is not None else None
    reason = explain_node_fault(failure) if failure is not None else ""
    attempts = store.run(run.id).read_attempts() if reason else []
    job = attempts[-1].owner.job if attempts else None
    if job is not None and job.node:
        yield job.node, reason
