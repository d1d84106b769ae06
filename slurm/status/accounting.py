"""Resources that a grid used, and advice on what to request next time: from SLURM's accounting, else from the logs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from benchmark.store.attempts import Attempt
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from slurm.requests.manifest import Submission, ignore_problem, read_submissions
from slurm.scheduler.job_info import JobInfo
from slurm.status.grid_queue import query_grid_history

WASTED = 0.5
"""Used share of a request below which advice is given."""

TIGHT = 0.9
"""Used share of memory or time above which advice is given."""

HEADROOM = 1.25
"""Factor between what was used and what the advice is to request."""

SHORT_S = 60.0
"""Starts that ran for less do not show what a run needs."""


@dataclass(frozen=True)
class Usage:
    """Resources that some starts of jobs used.

    Attributes:
        starts: Number of starts of jobs, or of elements of arrays.
        gpu_h: Hours times GPUs that were allocated.
        cpu_h: Hours times processors that were allocated.
        cpus: Most processors that a start had; None if unknown.
        mem_gb: Most memory per node that a start had; None if unknown.
        limit_s: Longest time limit of a start; None if unknown.
        max_rss_gb: Most memory that a start used, averaged over its nodes; None if it was not measured.
        busy_cpus: Average number of busy processors; None if it was not measured.
        efficiency: Busy share of the allocated processors; None if it was not measured.
        longest_s: Longest time of a start that completed; None if none did.
        timeouts: Number of starts that reached their time limit.
        out_of_memory: Number of starts that ran out of memory.
    """

    starts: int = 0
    gpu_h: float = 0.0
    cpu_h: float = 0.0
    cpus: int | None = None
    mem_gb: float | None = None
    limit_s: float | None = None
    max_rss_gb: float | None = None
    busy_cpus: float | None = None
    efficiency: float | None = None
    longest_s: float | None = None
    timeouts: int = 0
    out_of_memory: int = 0


def summarize_usage(store: Store, ids: Collection[str]) -> list[str]:
    """Return lines about the hours that runs took on a cluster; none if the runs were never submitted to one.

    Args:
        store: Store of the runs.
        ids: IDs of the runs.
    """
    wanted = set(ids)
    sent = [
        submission for submission in read_submissions(store, notify=ignore_problem) if submission.find_targets(wanted)
    ]
    if not sent:
        return []
    history = query_grid_history(store, wanted)
    manifests = {submission.manifest.name: submission.manifest for submission in sent}
    # GPUs from the manifest, because not every site accounts for them
    starts = [replace(job, gpus=manifests[job.name].gpus) for job in history.starts]
    if not starts:
        return [*history.notes, _summarize_logs(store, sent, wanted)]
    return [
        line
        for request, used in group_usage(starts, describe_request).items()
        for line in _describe_usage(request, used)
    ]


def _describe_usage(request: str, used: Usage) -> Iterator[str]:
    """Yield the lines about the starts of jobs with the same request."""
    gpu_hours = f"{used.gpu_h:.2f} GPU-hours, " if used.gpu_h else ""
    yield f"{used.starts} job starts with {request}: {gpu_hours}{used.cpu_h:.2f} CPU-hours"
    yield from (f"  {line}" for line in advise(used))


def _summarize_logs(store: Store, sent: Collection[Submission], wanted: set[str]) -> str:
    """Return a line about the hours between the start of every attempt and the last line of its log."""
    gpu_s = cpu_s = 0.0
    count = 0
    manifests = {run_id: submission.manifest for submission in sent for run_id in submission.run_ids & wanted}
    for run_id, manifest in manifests.items():
        run = store.run(run_id)
        seconds = [_measure_attempt_s(run, attempt) for attempt in run.read_attempts() if attempt.owner.job is not None]
        gpu_s += manifest.gpus / manifest.concurrent_runs * sum(seconds)
        cpu_s += manifest.cpus / manifest.concurrent_runs * sum(seconds)
        count += len(seconds)
    gpu_hours = f"{gpu_s / 3600:.2f} GPU-hours, " if gpu_s else ""
    return f"{count} attempts at runs: {gpu_hours}{cpu_s / 3600:.2f} CPU-hours, according to the times of their logs"


def _measure_attempt_s(run: RunFolder, attempt: Attempt) -> float:
    """Return the seconds between the start of an attempt and the last line of its log; 0 if it has no log."""
    try:
        ended = run.find_log(attempt.number).stat().st_mtime
    except KeyError:
        return 0.0
    return max(0.0, ended - datetime.fromisoformat(attempt.started).timestamp())


def sum_usage(starts: Iterable[JobInfo]) -> Usage:
    """Sum up starts of jobs, of which `query_history` returns all, including those that were requeued."""
    jobs = [job for job in starts if job.started is not None]
    if not jobs:
        return Usage()
    measured = [job for job in jobs if job.cpu_s is not None and job.elapsed_s >= SHORT_S]
    held_s = sum(job.cpus * job.elapsed_s for job in measured)
    busy_s = sum(job.cpu_s or 0.0 for job in measured)
    return Usage(
        starts=len(jobs),
        gpu_h=sum(job.gpus * job.elapsed_s for job in jobs) / 3600,
        cpu_h=sum(job.cpus * job.elapsed_s for job in jobs) / 3600,
        cpus=max(job.cpus for job in jobs),
        mem_gb=_find_largest(job.mem_gb / job.nodes for job in jobs if job.mem_gb),
        limit_s=_find_largest(job.limit_s for job in jobs),
        max_rss_gb=_find_largest(job.max_rss_gb / job.nodes for job in jobs if job.max_rss_gb),
        busy_cpus=busy_s / sum(job.elapsed_s for job in measured) if measured else None,
        efficiency=busy_s / held_s if held_s else None,
        longest_s=_find_largest(job.elapsed_s for job in jobs if job.state == "COMPLETED"),
        timeouts=sum(job.state == "TIMEOUT" for job in jobs),
        out_of_memory=sum(job.state == "OUT_OF_MEMORY" for job in jobs),
    )


def group_usage(starts: Iterable[JobInfo], group: Callable[[JobInfo], str]) -> dict[str, Usage]:
    """Sum up the starts of each group, in the order in which the groups appear.

    Args:
        starts: Starts of jobs.
        group: Function that names the group of a start, such as `describe_request`.
    """
    groups: dict[str, list[JobInfo]] = {}
    for job in starts:
        groups.setdefault(group(job), []).append(job)
    return {name: sum_usage(jobs) for name, jobs in groups.items()}


def describe_request(job: JobInfo) -> str:
    """Describe what a start had: 1 GPU, 4 CPUs, 16 GB, 4 h."""
    parts = [
        _format_count(job.gpus, "GPU") if job.gpus else "",
        _format_count(job.cpus, "CPU"),
        f"{job.mem_gb:.3g} GB" if job.mem_gb else "",
        _format_duration(job.limit_s) if job.limit_s else "",
    ]
    return ", ".join(part for part in parts if part)


def advise(used: Usage) -> list[str]:
    """Return what to request next time, one line each; empty if the requests fit or nothing was measured."""
    return [*_advise_on_memory(used), *_advise_on_cpus(used), *_advise_on_time(used)]


def _advise_on_memory(used: Usage) -> Iterator[str]:
    """Yield advice on mem_gb."""
    if used.out_of_memory:
        size = f" with {used.mem_gb:.3g} GB" if used.mem_gb else ""
        yield f"{_format_count(used.out_of_memory, 'start')} ran out of memory{size}: raise mem_gb"
        return
    if not used.mem_gb or not used.max_rss_gb:
        return
    comparison = f"requested {used.mem_gb:.3g} GB of memory, used at most {used.max_rss_gb:.3g} GB"
    enough = max(1, math.ceil(used.max_rss_gb * HEADROOM))
    if used.max_rss_gb < WASTED * used.mem_gb and enough < used.mem_gb:
        yield f"{comparison}: mem_gb={enough} would be enough"
    elif used.max_rss_gb > TIGHT * used.mem_gb:
        yield f"{comparison}: this is tight, mem_gb={max(enough, math.ceil(used.mem_gb) + 1)} would be safe"


def _advise_on_cpus(used: Usage) -> Iterator[str]:
    """Yield advice on cpus_per_task and workers."""
    if used.busy_cpus is None or used.efficiency is None or not used.cpus:
        return
    enough = max(1, math.ceil(used.busy_cpus))
    if used.efficiency < WASTED and enough < used.cpus:
        comparison = f"requested {used.cpus} CPUs, {used.busy_cpus:.1f} were busy on average"
        yield f"{comparison}: {enough} would be enough (cpus_per_task, workers)"


def _advise_on_time(used: Usage) -> Iterator[str]:
    """Yield advice on timeout_min."""
    if used.timeouts:
        limit = f" of {_format_duration(used.limit_s)}" if used.limit_s else ""
        yield f"{_format_count(used.timeouts, 'start')} reached the time limit{limit}: raise timeout_min"
        return
    if not used.limit_s or used.longest_s is None or used.longest_s < SHORT_S:
        return
    comparison = f"requested {_format_duration(used.limit_s)}, the longest took {_format_duration(used.longest_s)}"
    enough = math.ceil(used.longest_s * HEADROOM / 60)
    if used.longest_s < WASTED * used.limit_s and enough * 60 < used.limit_s:
        yield f"{comparison}: with timeout_min={enough} jobs may start earlier"
    elif used.longest_s > TIGHT * used.limit_s:
        yield f"{comparison}: this is tight, raise timeout_min"


def _format_duration(seconds: float) -> str:
    """Format a time for people: 45 s, 12 min, 3.5 h, 2.1 days."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= (2 * size if unit == "days" else size):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def _find_largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _format_count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
