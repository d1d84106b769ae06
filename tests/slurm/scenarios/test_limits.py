"""Scenarios at limits: attempts without progress, memory, disk, array size and queue size."""

from __future__ import annotations

import pytest

from benchmark.core.run_state import RunState
from slurm.testing import ClusterLayout
from tests.slurm.scenarios.conftest import MakeGridOnLayout
from tests.slurm.scenarios.grid import NEVER, Grid
from tests.slurm.scenarios.job_attempt import JobAttempt

pytestmark = pytest.mark.slow


def test_a_run_without_any_checkpoint_fails_after_its_attempts(plain_grid: Grid) -> None:
    plain_grid.write_study(max_attempts_without_progress=2)
    plain_grid.set_behavior("die")
    plain_grid.submit()
    plain_grid.wait_stored_state(RunState.FAILED)
    assert plain_grid.failure(plain_grid.run).kind == "SIGKILL"
    assert len(plain_grid.list_attempts(plain_grid.run)) == 2


def test_a_job_that_is_requeued_without_progress_fails_after_its_attempts(plain_grid: Grid) -> None:
    plain_grid.write_study(max_attempts_without_progress=2, checkpoint_every=NEVER)
    plain_grid.submit()
    for number in (1, 2):
        plain_grid.wait_training(plain_grid.run, attempt=number)
        plain_grid.kill(plain_grid.run, "slurm.job", "benchmark.execution.worker")
    plain_grid.wait_stored_state(RunState.FAILED)
    assert plain_grid.failure(plain_grid.run).kind == "no progress"
    assert len(plain_grid.list_attempts(plain_grid.run)) == 2


def test_a_run_over_its_memory_limit_fails_and_the_others_are_done(make_on: MakeGridOnLayout) -> None:
    grid = make_on(ClusterLayout(nodes=1, accounting=False, memory_limits=True))
    grid.write_study("greedy", "modest", mem_gb=1.0)
    grid.set_behavior("rush")
    grid.set_behavior("hog", "greedy")
    grid.submit()
    grid.wait_ended()
    assert grid.failure(grid.ids[0]).kind == "OUT_OF_MEMORY"
    grid.finish(grid.ids[1])


def test_a_run_that_fills_the_disk_fails_with_a_message_and_can_be_retried(plain_grid: Grid) -> None:
    with plain_grid.small_disk(megabytes=3):
        plain_grid.write_study(changes={"weights": 2**20})
        plain_grid.submit()
        plain_grid.wait_stored_state(RunState.FAILED)
        assert plain_grid.failure(plain_grid.run).message.startswith("the disk is full")
        plain_grid.enlarge_disk(megabytes=64)
        assert "1 run submitted" in plain_grid.retry().out
        plain_grid.finish()


def test_a_grid_larger_than_the_largest_array_is_submitted_as_several(make_on: MakeGridOnLayout) -> None:
    grid = make_on(ClusterLayout(nodes=1, accounting=False, max_array_size=3))
    grid.write_study(seeds=5, runs_per_job=1)
    grid.set_behavior("rush")
    result = grid.submit()
    assert [line.rpartition(" ")[2] for line in result.out.splitlines() if line.startswith("job ")] == ["3", "2"]
    grid.finish()
    assert [grid.list_attempts(run) for run in grid.ids] == [[JobAttempt(1, False)]] * 5


def test_runs_beyond_the_job_limit_are_submitted_later(grid: Grid) -> None:
    grid.write_study(seeds=3)
    grid.set_behavior("rush")
    with grid.limit_jobs(2):
        result = grid.submit()
        assert "2 runs submitted" in result.out and "1 run not submitted, as the queue is full" in result.err
        grid.finish(*grid.ids[:2])
        grid.wait_empty()
        assert "1 run submitted" in grid.submit().out
    grid.finish()
