"""Resources that jobs used, and advice on requests; expected values are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slurm.scheduler.job_info import JobInfo, parse_sacct
from slurm.status.accounting import Usage, advise, describe_request, group_usage, sum_usage

HOUR = 3600.0
RUN = JobInfo(
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


def advice_with(word: str, **changes: Any) -> list[str]:
    """Return the lines of advice on one changed start that contain a word."""
    return [line for line in advise(sum_usage([replace(RUN, **changes)])) if word in line]


def test_allocated_hours_count_whether_or_not_they_were_used() -> None:
    used = sum_usage([RUN, replace(RUN, task=1, state="REQUEUED", elapsed_s=HOUR / 2)])
    assert (used.starts, used.gpu_h, used.cpu_h) == (2, 1.5, 12.0)


def test_busy_processors_are_averaged_over_all_starts() -> None:
    used = sum_usage([RUN, replace(RUN, task=1, cpu_s=6.7 * HOUR)])
    assert used.busy_cpus == pytest.approx(4.0)
    assert used.efficiency == pytest.approx(0.5)


def test_starts_without_measurements_have_hours_but_no_efficiency() -> None:
    used = sum_usage([replace(RUN, cpu_s=None, max_rss_gb=None)])
    assert (used.cpu_h, used.efficiency, used.max_rss_gb) == (8.0, None, None)
    assert [line for line in advise(used) if "GB" in line or "CPU" in line] == []


def test_starts_of_a_few_seconds_do_not_change_the_efficiency() -> None:
    used = sum_usage([replace(RUN, cpu_s=8 * HOUR), replace(RUN, task=1, elapsed_s=2.0, cpu_s=0.1)])
    assert used.efficiency == pytest.approx(1.0)


def test_jobs_that_never_started_used_nothing() -> None:
    waiting = JobInfo(job="7", task=3, name="x", state="PENDING", cpus=8, mem_gb=16.0)
    assert sum_usage([waiting]) == Usage()
    assert advise(Usage()) == []


def test_unused_memory_is_reported() -> None:
    assert advice_with("memory") == ["requested 16 GB of memory, used at most 3.1 GB: mem_gb=4 would be enough"]


def test_memory_is_counted_per_node() -> None:
    (line,) = advice_with("memory", nodes=2)
    assert line == "requested 8 GB of memory, used at most 1.55 GB: mem_gb=2 would be enough"


def test_memory_that_nearly_ran_out_is_reported() -> None:
    assert advice_with("tight", max_rss_gb=15.5, elapsed_s=3 * HOUR) == [
        "requested 16 GB of memory, used at most 15.5 GB: this is tight, mem_gb=20 would be safe"
    ]


def test_memory_that_ran_out_is_reported() -> None:
    assert advice_with("out of memory", state="OUT_OF_MEMORY") == [
        "1 start ran out of memory with 16 GB: raise mem_gb",
    ]


def test_idle_processors_are_reported() -> None:
    assert advice_with("CPUs") == [
        "requested 8 CPUs, 1.3 were busy on average: 2 would be enough (cpus_per_task, workers)",
    ]


def test_a_time_limit_that_is_far_too_long_is_reported() -> None:
    assert advice_with("longest") == [
        "requested 4 h, the longest took 1 h: with timeout_min=75 jobs may start earlier",
    ]


def test_a_time_limit_that_was_reached_is_reported() -> None:
    assert advice_with("limit", state="TIMEOUT", elapsed_s=4 * HOUR) == [
        "1 start reached the time limit of 4 h: raise timeout_min",
    ]


def test_requests_that_fit_need_no_advice() -> None:
    assert advise(sum_usage([replace(RUN, max_rss_gb=11.0, cpu_s=7 * HOUR, elapsed_s=HOUR, limit_s=1.5 * HOUR)])) == []


def test_starts_with_the_same_requests_form_a_group() -> None:
    groups = group_usage([RUN, replace(RUN, task=1, gpus=2), replace(RUN, task=2)], describe_request)
    assert {name: used.starts for name, used in groups.items()} == {
        "1 GPU, 8 CPUs, 16 GB, 4 h": 2,
        "2 GPUs, 8 CPUs, 16 GB, 4 h": 1,
    }


def test_the_usage_of_recorded_jobs_is_the_sum_over_their_starts() -> None:
    text = (Path(__file__).resolve().parents[1] / "texts" / "sacct_steps.txt").read_text()
    used = sum_usage(info for info in parse_sacct(text) if info.job == "88025")
    assert used.starts == 2
    assert used.cpu_h * 3600 == pytest.approx(4 * 7 + 4 * 10)
    assert used.max_rss_gb == pytest.approx(835100 / 2**20 / 2)
