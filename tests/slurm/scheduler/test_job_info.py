"""Jobs parsed from recorded output of squeue and sacct."""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.scheduler.job_info import NO_ARRAY, JobInfo, format_tasks, parse_sacct, parse_squeue, parse_tasks

TEXTS = Path(__file__).resolve().parents[1] / "texts"
"""Output of SLURM 22.05.8; the fields of sacct are separated by an invisible character."""


def read(name: str) -> str:
    """Return a recorded text."""
    return (TEXTS / name).read_text(encoding="utf-8")


def squeue(job: str, task: int) -> JobInfo:
    """Return an element in the recorded queue."""
    return next(info for info in parse_squeue(read("squeue.txt")) if (info.job, info.task) == (job, task))


def sacct(job: str, task: int, *, steps: bool = False) -> list[JobInfo]:
    """Return the starts of an element in the recorded accounting, the latest last."""
    jobs = parse_sacct(read("sacct_steps.txt" if steps else "sacct.txt"))
    return [info for info in jobs if (info.job, info.task) == (job, task)]


def test_squeue_reports_every_field_of_a_running_element() -> None:
    assert squeue("88023", 1) == JobInfo(
        job="88023",
        task=1,
        name="cb-night-0a1b2c3d",
        state="RUNNING",
        node="n1",
        restarts=0,
        submitted=1795640693,
        started=1795640693,
        elapsed_s=18,
        limit_s=600,
        cpus=2,
        gpus=1,
        mem_gb=500 / 1024,
    )


def test_a_waiting_element_has_a_reason_and_only_the_time_of_its_submission() -> None:
    info = squeue("88023", 5)
    assert (info.state, info.reason, info.node) == ("PENDING", "JobArrayTaskLimit", "")
    assert (info.submitted, info.started, info.ended, info.elapsed_s) == (1795640693, None, None, 0)


def test_the_expected_end_of_a_running_job_is_not_its_end() -> None:
    assert squeue("88023", 3).ended is None
    assert squeue("88023", 3).exit_code is None


def test_exit_codes_and_signals_are_distinguished_in_squeue() -> None:
    assert (squeue("88023", 0).exit_code, squeue("88023", 0).signal) == (3, 0)
    assert (squeue("88023", 2).exit_code, squeue("88023", 2).signal) == (0, 15)


def test_exit_codes_may_also_have_the_form_of_sacct() -> None:
    text = read("squeue.txt").replace("768".ljust(12), "3:0".ljust(12))
    (failed,) = [info for info in parse_squeue(text) if info.state == "FAILED"]
    assert (failed.exit_code, failed.signal) == (3, 0)


def test_a_job_that_is_not_an_array_has_no_task_and_any_name() -> None:
    info = squeue("88024", NO_ARRAY)
    assert (info.name, info.limit_s, info.mem_gb) == ("Bäume, hoch|weit", None, 1500 / 1024)


def test_a_job_that_is_being_requeued_is_ending_and_not_over() -> None:
    (info,) = parse_squeue(read("squeue_requeued.txt"))
    assert (info.state, info.restarts, info.ended) == ("COMPLETING", 1, None)


def test_a_limit_of_more_than_a_day_is_read() -> None:
    assert squeue("88025", 0).limit_s == 34 * 3600
    assert squeue("88025", 0).nodes == 2


def test_the_heading_of_a_cluster_in_a_federation_is_skipped() -> None:
    text = read("squeue_requeued.txt")
    assert len(list(parse_squeue(f"CLUSTER: lab\n{text}\n"))) == 1


@pytest.mark.parametrize(
    ("requested", "gpus"),
    [("gres:gpu:1", 2), ("gres/gpu:a100:2", 4), ("gres:gpu", 2), ("gres:license:3,gpu:1", 2), ("N/A", 0)],
)
def test_gpus_without_accounting_are_those_requested_per_node(requested: str, gpus: int) -> None:
    text = read("squeue_requeued.txt").replace("2         1         cpu=4", "2         2         cpu=4")
    (info,) = parse_squeue(text.replace("N/A".ljust(128), requested.ljust(128)))
    assert info.gpus == gpus


def test_sacct_reports_every_field_of_a_failed_element() -> None:
    assert sacct("88023", 0) == [
        JobInfo(
            job="88023",
            task=0,
            name="cb-night-0a1b2c3d",
            state="FAILED",
            node="n1",
            submitted=1795640693,
            started=1795640693,
            ended=1795640693,
            limit_s=600,
            exit_code=3,
            cpus=2,
            gpus=1,
            mem_gb=500 / 1024,
            source="sacct",
        )
    ]


def test_one_line_of_sacct_gives_several_waiting_elements() -> None:
    assert [sacct("88023", task)[0].state for task in (4, 5)] == ["PENDING", "PENDING"]
    tasks = {info.task for info in parse_sacct(read("sacct.txt")) if info.job == "88026"}
    assert tasks == {1, 5, 9, *range(20, 30)}


def test_elements_canceled_before_their_start_have_only_an_end() -> None:
    (info,) = sacct("88026", 25)
    assert (info.state, info.started, info.ended, info.elapsed_s) == ("CANCELLED", None, 1795640696, 0)


def test_every_start_of_a_job_is_reported_separately() -> None:
    first, second = sacct("88025", 0)
    assert (first.state, first.elapsed_s, second.state, second.elapsed_s) == ("REQUEUED", 7, "COMPLETED", 10)


def test_steps_report_the_memory_and_time_of_each_start() -> None:
    first, second = sacct("88025", 0, steps=True)
    assert (first.max_rss_gb, first.cpu_s) == (10468 / 2**20, 0.035)
    assert (second.max_rss_gb, second.cpu_s) == (835100 / 2**20, 11.14)  # over four tasks on two nodes


def test_without_steps_nothing_is_measured() -> None:
    assert [(info.max_rss_gb, info.cpu_s) for info in sacct("88025", 0)] == [(None, None)] * 2


def test_a_truncated_line_is_skipped() -> None:
    assert parse_sacct("88023_0\x1fFAILED\x1f") == []


@pytest.mark.parametrize(
    ("text", "tasks"),
    [
        ("7", [7]),
        ("[5-8%4]", [5, 6, 7, 8]),
        ("[0-99%4]", list(range(100))),
        ("[1,5-9:2,20%2]", [1, 5, 7, 9, 20]),
        ("N/A", [NO_ARRAY]),
        ("", [NO_ARRAY]),
    ],
)
def test_indices_are_parsed_in_every_notation(text: str, tasks: list[int]) -> None:
    assert parse_tasks(text) == tasks


def test_indices_are_written_in_the_notation_of_slurm() -> None:
    tasks = [3, 0, 1, 2, 7, 9, 10]
    assert format_tasks(tasks) == "0-3,7,9-10"
    assert parse_tasks(f"[{format_tasks(tasks)}]") == sorted(tasks)
