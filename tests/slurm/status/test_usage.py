"""What jobs cost, and what to ask for next time; worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slurm.scheduler.job_info import JobView, sacct_views
from slurm.status.usage import Usage, advice, asked_for, usage, usage_by

HOUR = 3600.0
RUN = JobView(
    job="7",
    task=0,
    name="cb-night-0a1b2c3d",
    state="COMPLETED",
    started=1000.0,
    elapsed_s=HOUR,
    limit_s=4 * HOUR,
    cpus=8,
    gpus=1,
    mem_gb=16.0,
    max_rss_gb=3.1,
    cpu_s=1.3 * HOUR,
    source="sacct",
)


def only(*, fits: str, **changes: Any) -> list[str]:
    """Lines of advice on one attempt, changed like this, that have this word."""
    return [line for line in advice(usage([replace(RUN, **changes)])) if fits in line]


def test_hours_are_held_whether_or_not_they_were_used() -> None:
    used = usage([RUN, replace(RUN, task=1, state="REQUEUED", elapsed_s=HOUR / 2)])
    assert (used.attempts, used.gpu_h, used.cpu_h) == (2, 1.5, 12.0)


def test_processors_that_were_busy_are_counted_over_all_attempts() -> None:
    used = usage([RUN, replace(RUN, task=1, cpu_s=6.7 * HOUR)])
    assert used.busy_cpus == pytest.approx(4.0)
    assert used.efficiency == pytest.approx(0.5)


def test_attempts_that_nobody_measured_cost_but_say_nothing_of_efficiency() -> None:
    used = usage([replace(RUN, cpu_s=None, max_rss_gb=None)])
    assert (used.cpu_h, used.efficiency, used.max_rss_gb) == (8.0, None, None)
    assert [line for line in advice(used) if "GB" in line or "CPU" in line] == []


def test_attempts_of_seconds_do_not_blur_the_efficiency() -> None:
    used = usage([replace(RUN, cpu_s=8 * HOUR), replace(RUN, task=1, elapsed_s=2.0, cpu_s=0.1)])
    assert used.efficiency == pytest.approx(1.0)


def test_what_never_began_costs_nothing() -> None:
    waiting = JobView(job="7", task=3, name="x", state="PENDING", cpus=8, mem_gb=16.0)
    assert usage([waiting]) == Usage()
    assert advice(Usage()) == []


def test_memory_that_was_not_used_is_told() -> None:
    assert only(fits="memory") == ["asked for 16 GB of memory, at most 3.1 GB were used: mem_gb=4 would do"]


def test_memory_is_counted_on_each_node() -> None:
    (line,) = only(fits="memory", nodes=2)
    assert line == "asked for 8 GB of memory, at most 1.55 GB were used: mem_gb=2 would do"


def test_memory_that_nearly_ran_out_is_told() -> None:
    assert only(fits="tight", max_rss_gb=15.5, elapsed_s=3 * HOUR) == [
        "asked for 16 GB of memory, at most 15.5 GB were used: that is tight, mem_gb=20 would be safe"
    ]


def test_memory_that_ran_out_is_told() -> None:
    assert only(fits="out of memory", state="OUT_OF_MEMORY") == [
        "1 attempt ran out of memory with 16 GB: raise mem_gb",
    ]


def test_idle_processors_are_told() -> None:
    assert only(fits="CPUs") == [
        "asked for 8 CPUs, 1.3 were busy on average: 2 would do (cpus_per_task, workers)",
    ]


def test_a_limit_far_too_long_is_told() -> None:
    assert only(fits="longest") == [
        "asked for 4 h, the longest took 1 h: with timeout_min=75 jobs may start earlier",
    ]


def test_a_limit_that_was_hit_is_told() -> None:
    assert only(fits="limit", state="TIMEOUT", elapsed_s=4 * HOUR) == [
        "1 attempt ran into the time limit of 4 h: raise timeout_min",
    ]


def test_what_fits_needs_no_advice() -> None:
    assert advice(usage([replace(RUN, max_rss_gb=11.0, cpu_s=7 * HOUR, elapsed_s=HOUR, limit_s=1.5 * HOUR)])) == []


def test_groups_are_those_that_asked_for_the_same() -> None:
    groups = usage_by([RUN, replace(RUN, task=1, gpus=2), replace(RUN, task=2)], asked_for)
    assert {name: used.attempts for name, used in groups.items()} == {
        "1 GPU, 8 CPUs, 16 GB, 4 h": 2,
        "2 GPUs, 8 CPUs, 16 GB, 4 h": 1,
    }


def test_the_cost_of_recorded_jobs_is_the_sum_over_their_starts() -> None:
    text = (Path(__file__).resolve().parents[1] / "texts" / "sacct_steps.txt").read_text()
    used = usage(view for view in sacct_views(text) if view.job == "88025")
    assert used.attempts == 2
    assert used.cpu_h * 3600 == pytest.approx(4 * 7 + 4 * 10)
    assert used.max_rss_gb == pytest.approx(835100 / 2**20 / 2)
