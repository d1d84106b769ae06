"""What is too much: attempts without progress, memory, disk, and what a queue takes."""

from __future__ import annotations

import pytest

from benchmark.core.run_state import RunState
from slurm.testing import ClusterLayout
from tests.slurm.scenarios.conftest import OnLayout
from tests.slurm.scenarios.grid import NEVER, Grid, Try

pytestmark = pytest.mark.slow


def test_a_run_that_never_gets_to_save_fails_after_its_lives(plain_grid: Grid) -> None:
    plain_grid.describe(max_attempts_without_progress=2)
    plain_grid.order("die")
    plain_grid.submit()
    plain_grid.wait_state(RunState.FAILED)
    assert plain_grid.failure(plain_grid.run).kind == "SIGKILL"
    assert len(plain_grid.tries(plain_grid.run)) == 2


def test_a_job_that_is_queued_again_and_again_without_progress_fails_after_its_lives(plain_grid: Grid) -> None:
    plain_grid.describe(max_attempts_without_progress=2, checkpoint_every=NEVER)
    plain_grid.submit()
    for number in (1, 2):
        plain_grid.wait_training(plain_grid.run, attempt=number)
        plain_grid.kill(plain_grid.run, "slurm.job", "benchmark.execution.worker")
    plain_grid.wait_state(RunState.FAILED)
    assert plain_grid.failure(plain_grid.run).kind == "no progress"
    assert len(plain_grid.tries(plain_grid.run)) == 2


def test_a_run_over_its_memory_fails_and_the_others_are_done(on: OnLayout) -> None:
    grid = on(ClusterLayout(nodes=1, accounting=False, memory_limits=True))
    grid.describe("greedy", "modest", mem_gb=1.0)
    grid.order("rush")
    grid.order("hog", "greedy")
    grid.submit()
    grid.wait_ended()
    assert grid.failure(grid.ids[0]).kind == "OUT_OF_MEMORY"
    grid.finish(grid.ids[1])


def test_a_run_that_finds_the_disk_full_says_so_and_can_be_tried_again(plain_grid: Grid) -> None:
    with plain_grid.small_disk(megabytes=3):
        plain_grid.describe(changes={"weights": 2**20})
        plain_grid.submit()
        plain_grid.wait_state(RunState.FAILED)
        assert plain_grid.failure(plain_grid.run).message.startswith("the disk is full")
        plain_grid.enlarge_disk(megabytes=64)
        assert "1 run submitted" in plain_grid.retry().out
        plain_grid.finish()


def test_a_grid_larger_than_an_array_may_be_is_sent_as_several(on: OnLayout) -> None:
    grid = on(ClusterLayout(nodes=1, accounting=False, max_array_size=3))
    grid.describe(seeds=5, runs_per_job=1)
    grid.order("rush")
    said = grid.submit()
    assert [line.rpartition(" ")[2] for line in said.out.splitlines() if line.startswith("sent")] == ["3", "2"]
    grid.finish()
    assert [grid.tries(run) for run in grid.ids] == [[Try(1, False)]] * 5


def test_what_the_queue_has_no_room_for_is_sent_later(grid: Grid) -> None:
    grid.describe(seeds=3)
    grid.order("rush")
    with grid.limited(2):
        said = grid.submit()
        assert "2 runs submitted" in said.out and "1 run not submitted, as the queue is full" in said.err
        grid.finish(*grid.ids[:2])
        grid.wait_empty()
        assert "1 run submitted" in grid.submit().out
    grid.finish()
