"""The scheduler takes jobs off their nodes, and starts them again or not: runs go on from where they were."""

from __future__ import annotations

import pytest

from benchmark.core.run_state import RunState
from tests.slurm.scenarios.grid import NEVER, Grid, Try

pytestmark = pytest.mark.slow

LONG = {"budget.iterations": 1000}


@pytest.mark.parametrize("partition", ["lowg", "low"])
def test_a_run_that_makes_way_goes_on_by_itself(grid: Grid, partition: str) -> None:
    run = grid.start(partition=partition)
    grid.preempt(run)
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.tries(run) == [Try(1, False), Try(2, True)]


def test_a_run_that_is_warned_saves_before_it_makes_way(grid: Grid) -> None:
    run = grid.start(partition="lowg", checkpoint_every=NEVER)
    grid.preempt(run)
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.tries(run) == [Try(1, False), Try(2, True)]


def test_a_run_whose_job_is_preempted_for_good_goes_on_when_it_is_sent_again(grid: Grid) -> None:
    run = grid.start(partition="lowc")
    grid.preempt(run)
    grid.wait_standing(RunState.INTERRUPTED, run)
    assert "1 run submitted" in grid.submit().out
    grid.finish()
    assert grid.tries(run) == [Try(1, False), Try(1, True)]


def test_a_run_that_meets_its_time_limit_saves_and_goes_on_by_itself(grid: Grid) -> None:
    run = grid.start(changes=LONG, timeout_min=1, signal_delay_s=30, checkpoint_every=NEVER)
    grid.wait_attempt(2, run, timeout_s=150)
    grid.finish()
    assert grid.tries(run)[:2] == [Try(1, False), Try(2, True)]
    assert "told to end" in grid.store.run(run).find_log(1).read_text()


def test_a_run_that_is_queued_again_from_outside_goes_on(grid: Grid) -> None:
    run = grid.start()
    grid.cluster.call("scontrol", "requeue", grid.target(run))
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.tries(run) == [Try(1, False), Try(2, True)]


def test_a_run_that_is_queued_again_and_held_waits_and_goes_on_once_released(grid: Grid) -> None:
    run = grid.start()
    grid.cluster.call("scontrol", "requeuehold", grid.target(run))
    grid.wait_standing(RunState.WAITING, run)
    assert "0 runs submitted" in grid.submit().out
    grid.cluster.call("scontrol", "release", grid.target(run))
    grid.finish()
    assert grid.tries(run) == [Try(1, False), Try(2, True)]
