"""Scenarios with killed processes and canceled jobs: every run still gives the undisturbed counts."""

from __future__ import annotations

import pytest

from benchmark.core.run_state import RunState
from tests.slurm.scenarios.grid import Grid
from tests.slurm.scenarios.job_attempt import JobAttempt

pytestmark = pytest.mark.slow


def test_a_killed_worker_is_restarted_within_its_job(plain_grid: Grid) -> None:
    run = plain_grid.start()
    plain_grid.kill(run, "benchmark.execution.worker")
    plain_grid.finish()
    assert plain_grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(1, True)]


def test_a_job_whose_process_is_killed_is_requeued_and_resumes(grid: Grid) -> None:
    run = grid.start()
    grid.kill(run, "slurm.job")
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(2, True)]


def test_a_canceled_run_resumes_when_it_is_resubmitted(grid: Grid) -> None:
    run = grid.start("canceled", "kept")
    assert grid.run_command("cancel", run).code == 0
    grid.wait_status(RunState.INTERRUPTED, run)
    assert "1 run submitted" in grid.submit().out
    grid.finish()
    assert [grid.list_attempts(run_id) for run_id in grid.ids] == [
        [JobAttempt(1, False), JobAttempt(1, True)],
        [JobAttempt(1, False)],
    ]


def test_an_exception_fails_one_run_which_can_be_retried(grid: Grid) -> None:
    grid.write_study("good", "bad", runs_per_job=2, cpus_per_task=2)
    grid.set_behavior("rush")
    grid.set_behavior("raise", "bad")
    grid.submit()
    grid.wait_ended()
    assert grid.run_command("collect", "grid").code == 3
    assert grid.failure(grid.ids[1]).message == "the test requested a failure"
    assert "0 runs submitted" in grid.submit().out
    grid.set_behavior("rush", "bad")
    assert "1 run submitted" in grid.retry().out
    grid.finish()


def test_a_failing_setup_command_fails_the_run_with_the_output_of_the_job(plain_grid: Grid) -> None:
    plain_grid.write_study(setup=["set -e", "cd /nowhere"])
    plain_grid.submit()
    plain_grid.wait_job("FAILED", plain_grid.run)
    assert plain_grid.run_command("collect", "grid").code == 3
    assert plain_grid.failure(plain_grid.run).kind == "FAILED"
    assert "/nowhere: No such file or directory" in plain_grid.failure(plain_grid.run).log_tail
