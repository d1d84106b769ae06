"""What jobs cost and whether they needed what they asked for. Pure, over what the scheduler said."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from slurm.scheduler.job_info import JobView

WASTED = 0.5
"""Less than this share of what was asked for is worth a line of advice."""

TIGHT = 0.9
"""More than this share of memory or time is one too."""

HEADROOM = 1.25
"""Of what was needed, to be asked for next time."""

SHORT_S = 60.0
"""Attempts that ran for less say nothing of what a run needs."""


@dataclass(frozen=True)
class Usage:
    """What some attempts cost together, and how they used what each of them had.

    Attributes:
        attempts: starts of jobs, or of elements of arrays.
        gpu_h, cpu_h: hours in which GPUs and processors were held.
        cpus, mem_gb, limit_s: the most that an attempt had, memory on each node; None where nothing is known.
        max_rss_gb: the most memory that an attempt used, the mean over its nodes; None where nobody measured.
        busy_cpus: processors that were busy on average; None where nobody measured.
        efficiency: busy share of the processors that were held; None where nobody measured.
        longest_s: of the attempts that completed; None where none did.
        timeouts, out_of_memory: attempts that ended so.
    """

    attempts: int = 0
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


def usage(attempts: Iterable[JobView]) -> Usage:
    """Sum up attempts, of which `history` gives every one, also those that were queued again."""
    views = [view for view in attempts if view.started is not None]
    if not views:
        return Usage()
    measured = [view for view in views if view.cpu_s is not None and view.elapsed_s >= SHORT_S]
    held_s = sum(view.cpus * view.elapsed_s for view in measured)
    busy_s = sum(view.cpu_s or 0.0 for view in measured)
    return Usage(
        attempts=len(views),
        gpu_h=sum(view.gpus * view.elapsed_s for view in views) / 3600,
        cpu_h=sum(view.cpus * view.elapsed_s for view in views) / 3600,
        cpus=max(view.cpus for view in views),
        mem_gb=_largest(view.mem_gb / view.nodes for view in views if view.mem_gb),
        limit_s=_largest(view.limit_s for view in views),
        max_rss_gb=_largest(view.max_rss_gb / view.nodes for view in views if view.max_rss_gb),
        busy_cpus=busy_s / sum(view.elapsed_s for view in measured) if measured else None,
        efficiency=busy_s / held_s if held_s else None,
        longest_s=_largest(view.elapsed_s for view in views if view.state == "COMPLETED"),
        timeouts=sum(view.state == "TIMEOUT" for view in views),
        out_of_memory=sum(view.state == "OUT_OF_MEMORY" for view in views),
    )


def usage_by(attempts: Iterable[JobView], group: Callable[[JobView], str]) -> dict[str, Usage]:
    """The same for each group, in the order in which the groups appear; `asked_for` groups by what was asked for."""
    groups: dict[str, list[JobView]] = {}
    for view in attempts:
        groups.setdefault(group(view), []).append(view)
    return {name: usage(views) for name, views in groups.items()}


def asked_for(view: JobView) -> str:
    """What an attempt had, as text: 1 GPU, 4 CPUs, 16 GB, 4 h."""
    parts = [
        _number(view.gpus, "GPU") if view.gpus else "",
        _number(view.cpus, "CPU"),
        f"{view.mem_gb:.3g} GB" if view.mem_gb else "",
        _duration(view.limit_s) if view.limit_s else "",
    ]
    return ", ".join(part for part in parts if part)


def advice(used: Usage) -> list[str]:
    """What to ask for next time, one line each; empty where what was asked for fits or nobody measured."""
    return [*_on_memory(used), *_on_cpus(used), *_on_time(used)]


def _on_memory(used: Usage) -> Iterator[str]:
    if used.out_of_memory:
        have = f" with {used.mem_gb:.3g} GB" if used.mem_gb else ""
        yield f"{_number(used.out_of_memory, 'attempt')} ran out of memory{have}: raise mem_gb"
        return
    if not used.mem_gb or not used.max_rss_gb:
        return
    asked = f"asked for {used.mem_gb:.3g} GB of memory, at most {used.max_rss_gb:.3g} GB were used"
    enough = max(1, math.ceil(used.max_rss_gb * HEADROOM))
    if used.max_rss_gb < WASTED * used.mem_gb and enough < used.mem_gb:
        yield f"{asked}: mem_gb={enough} would do"
    elif used.max_rss_gb > TIGHT * used.mem_gb:
        yield f"{asked}: that is tight, mem_gb={max(enough, math.ceil(used.mem_gb) + 1)} would be safe"


def _on_cpus(used: Usage) -> Iterator[str]:
    if used.busy_cpus is None or used.efficiency is None or not used.cpus:
        return
    enough = max(1, math.ceil(used.busy_cpus))
    if used.efficiency < WASTED and enough < used.cpus:
        busy = f"asked for {used.cpus} CPUs, {used.busy_cpus:.1f} were busy on average"
        yield f"{busy}: {enough} would do (cpus_per_task, workers)"


def _on_time(used: Usage) -> Iterator[str]:
    if used.timeouts:
        limit = f" of {_duration(used.limit_s)}" if used.limit_s else ""
        yield f"{_number(used.timeouts, 'attempt')} ran into the time limit{limit}: raise timeout_min"
        return
    if not used.limit_s or used.longest_s is None or used.longest_s < SHORT_S:
        return
    asked = f"asked for {_duration(used.limit_s)}, the longest took {_duration(used.longest_s)}"
    enough = math.ceil(used.longest_s * HEADROOM / 60)
    if used.longest_s < WASTED * used.limit_s and enough * 60 < used.limit_s:
        yield f"{asked}: with timeout_min={enough} jobs may start earlier"
    elif used.longest_s > TIGHT * used.limit_s:
        yield f"{asked}: that is tight, raise timeout_min"


def _duration(seconds: float) -> str:
    """A time for people: 45 s, 12 min, 3.5 h, 2.1 days."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= (2 * size if unit == "days" else size):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _number(count: int, of: str) -> str:
    return f"{count} {of}" if count == 1 else f"{count} {of}s"
