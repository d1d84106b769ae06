"""What squeue and sacct printed, word for word, read back as values."""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.scheduler.job_info import NO_ARRAY, JobView, notation, sacct_views, squeue_views, tasks_of

TEXTS = Path(__file__).resolve().parents[1] / "texts"
"""Printed by SLURM 22.05.8; the fields of sacct are told apart by a character that is not to be seen."""


def read(name: str) -> str:
    """A recorded text."""
    return (TEXTS / name).read_text(encoding="utf-8")


def squeue(job: str, task: int) -> JobView:
    """The view of an element in the recorded queue."""
    return next(view for view in squeue_views(read("squeue.txt")) if (view.job, view.task) == (job, task))


def sacct(job: str, task: int, *, steps: bool = False) -> list[JobView]:
    """The views of an element in the recorded accounts, its latest start last."""
    views = sacct_views(read("sacct_steps.txt" if steps else "sacct.txt"))
    return [view for view in views if (view.job, view.task) == (job, task)]


def test_squeue_tells_all_of_a_running_element() -> None:
    assert squeue("88023", 1) == JobView(
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


def test_an_element_that_waits_has_a_reason_and_no_times_but_one() -> None:
    view = squeue("88023", 5)
    assert (view.state, view.reason, view.node) == ("PENDING", "JobArrayTaskLimit", "")
    assert (view.submitted, view.started, view.ended, view.elapsed_s) == (1795640693, None, None, 0)


def test_the_end_that_squeue_expects_of_a_running_job_is_no_end() -> None:
    assert squeue("88023", 3).ended is None
    assert squeue("88023", 3).exit_code is None


def test_exit_codes_and_signals_are_told_apart_in_squeue() -> None:
    assert (squeue("88023", 0).exit_code, squeue("88023", 0).signal) == (3, 0)
    assert (squeue("88023", 2).exit_code, squeue("88023", 2).signal) == (0, 15)


def test_exit_codes_may_also_come_as_sacct_writes_them() -> None:
    text = read("squeue.txt").replace("768".ljust(12), "3:0".ljust(12))
    (failed,) = [view for view in squeue_views(text) if view.state == "FAILED"]
    assert (failed.exit_code, failed.signal) == (3, 0)


def test_a_job_that_is_no_array_has_no_task_and_any_name() -> None:
    view = squeue("88024", NO_ARRAY)
    assert (view.name, view.limit_s, view.mem_gb) == ("Bäume, hoch|weit", None, 1500 / 1024)


def test_a_job_on_its_way_back_into_the_queue_is_ending_not_ended() -> None:
    (view,) = squeue_views(read("squeue_requeued.txt"))
    assert (view.state, view.restarts, view.ended) == ("COMPLETING", 1, None)


def test_a_limit_of_more_than_a_day_is_read() -> None:
    assert squeue("88025", 0).limit_s == 34 * 3600
    assert squeue("88025", 0).nodes == 2


def test_the_heading_of_a_cluster_in_a_federation_is_passed_over() -> None:
    text = read("squeue_requeued.txt")
    assert len(list(squeue_views(f"CLUSTER: lab\n{text}\n"))) == 1


@pytest.mark.parametrize(
    ("asked", "gpus"),
    [("gres:gpu:1", 2), ("gres/gpu:a100:2", 4), ("gres:gpu", 2), ("gres:license:3,gpu:1", 2), ("N/A", 0)],
)
def test_gpus_that_are_not_accounted_for_are_those_asked_for_on_each_node(asked: str, gpus: int) -> None:
    text = read("squeue_requeued.txt").replace("2         1         cpu=4", "2         2         cpu=4")
    (view,) = squeue_views(text.replace("N/A".ljust(128), asked.ljust(128)))
    assert view.gpus == gpus


def test_sacct_tells_all_of_an_element_that_failed() -> None:
    assert sacct("88023", 0) == [
        JobView(
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


def test_elements_that_wait_are_one_line_of_sacct_and_several_views() -> None:
    assert [sacct("88023", task)[0].state for task in (4, 5)] == ["PENDING", "PENDING"]
    assert {view.task for view in sacct_views(read("sacct.txt")) if view.job == "88026"} == {1, 5, 9, *range(20, 30)}


def test_elements_cancelled_before_they_began_have_an_end_and_no_beginning() -> None:
    (view,) = sacct("88026", 25)
    assert (view.state, view.started, view.ended, view.elapsed_s) == ("CANCELLED", None, 1795640696, 0)


def test_every_start_of_a_job_is_a_view_of_its_own() -> None:
    first, second = sacct("88025", 0)
    assert (first.state, first.elapsed_s, second.state, second.elapsed_s) == ("REQUEUED", 7, "COMPLETED", 10)


def test_steps_say_what_each_start_used() -> None:
    first, second = sacct("88025", 0, steps=True)
    assert (first.max_rss_gb, first.cpu_s) == (10468 / 2**20, 0.035)
    assert (second.max_rss_gb, second.cpu_s) == (835100 / 2**20, 11.14)  # over four tasks on two nodes


def test_without_steps_nothing_was_measured() -> None:
    assert [(view.max_rss_gb, view.cpu_s) for view in sacct("88025", 0)] == [(None, None)] * 2


def test_a_line_that_broke_off_is_passed_over() -> None:
    assert sacct_views("88023_0\x1fFAILED\x1f") == []


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
def test_indices_are_read_in_every_notation(text: str, tasks: list[int]) -> None:
    assert tasks_of(text) == tasks


def test_indices_are_written_as_slurm_reads_them() -> None:
    tasks = [3, 0, 1, 2, 7, 9, 10]
    assert notation(tasks) == "0-3,7,9-10"
    assert tasks_of(f"[{notation(tasks)}]") == sorted(tasks)
