"""What happens to processes and jobs while runs go on: every run still comes to what it comes to undisturbed."""

from __future__ import annotations

from benchmark.core.run_state import RunState
from tests.slurm.scenarios.grid import Grid, Try


def test_a_worker_that_is_killed_goes_on_within_its_job(plain_grid: Grid) -> None:
    run = plain_grid.start()
    plain_grid.kill(run, "benchmark.execution.worker")
    plain_grid.finish()
    assert plain_grid.tries(run) == [Try(1, False), Try(1, True)]


def test_a_job_whose_process_is_killed_is_queued_again_and_goes_on(grid: Grid) -> None:
    run = grid.start()
    grid.kill(run, "slurm.job")
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.tries(run) == [Try(1, False), Try(2, True)]


def test_a_run_that_is_cancelled_goes_on_when_it_is_sent_again(grid: Grid) -> None:
    run = grid.start("cancelled", "kept")
    assert grid.run_command("cancel", run).code == 0
    grid.wait_standing(RunState.INTERRUPTED, run)
    assert "1 run submitted" in grid.submit().out
    grid.finish()
    assert [grid.tries(each) for each in grid.ids] == [[Try(1, False), Try(1, True)], [Try(1, False)]]


def test_an_exception_is_a_failure_of_one_run_and_can_be_tried_again(grid: Grid) -> None:
    grid.describe("good", "bad", runs_per_job=2, cpus_per_task=2)
    grid.order("rush")
    grid.order("raise", "bad")
    grid.submit()
    grid.wait_ended()
    assert grid.run_command("collect", "grid").code == 3
    assert grid.failure(grid.ids[1]).message == "the loss was told to fail"
    assert "0 runs submitted" in grid.submit().out
    grid.order("rush", "bad")
    assert "1 run submitted" in grid.retry().out
    grid.finish()


def test_a_line_of_setup_that_fails_is_a_failure_that_shows_what_the_job_printed(plain_grid: Grid) -> None:
    plain_grid.describe(setup=["set -e", "cd /nowhere"])
    plain_grid.submit()
    plain_grid.wait_job("FAILED", plain_grid.run)
    assert plain_grid.run_command("collect", "grid").code == 3
    assert plain_grid.failure(plain_grid.run).kind == "FAILED"
    assert "/nowhere: No such file or directory" in plain_grid.failure(plain_grid.run).log_tail
