"""Scenarios with preemption, requeueing and time limits: runs resume from their checkpoints."""

from __future__ import annotations

import pytest

from benchmark.core.run_state import RunState
from tests.slurm.scenarios.grid import NEVER, Grid
from tests.slurm.scenarios.job_attempt import JobAttempt

pytestmark = pytest.mark.slow

LONG = {"budget.iterations": 1000}


@pytest.mark.parametrize("partition", ["lowg", "low"])
def test_a_preempted_run_resumes_automatically(grid: Grid, partition: str) -> None:
    run = grid.start(partition=partition)
    grid.preempt(run)
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(2, True)]


def test_a_run_writes_a_checkpoint_in_the_grace_period_before_preemption(grid: Grid) -> None:
    run = grid.start(partition="lowg", checkpoint_every=NEVER)
    grid.preempt(run)
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(2, True)]


def test_a_run_canceled_by_preemption_resumes_when_it_is_resubmitted(grid: Grid) -> None:
    run = grid.start(partition="lowc")
    grid.preempt(run)
    grid.wait_status(RunState.INTERRUPTED, run)
    assert "1 run submitted" in grid.submit().out
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(1, True)]


def test_a_run_writes_a_checkpoint_at_its_time_limit_and_resumes_automatically(grid: Grid) -> None:
    run = grid.start(changes=LONG, timeout_min=1, signal_delay_s=30, checkpoint_every=NEVER)
    grid.wait_attempt(2, run, timeout_s=150)
    grid.finish()
    assert grid.list_attempts(run)[:2] == [JobAttempt(1, False), JobAttempt(2, True)]
    assert "interrupted" in grid.store.run(run).find_log(1).read_text()


def test_a_run_requeued_by_scontrol_resumes(grid: Grid) -> None:
    run = grid.start()
    grid.cluster.call("scontrol", "requeue", grid.array_task(run))
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(2, True)]


def test_a_requeued_and_held_run_waits_and_resumes_when_it_is_released(grid: Grid) -> None:
    run = grid.start()
    grid.cluster.call("scontrol", "requeuehold", grid.array_task(run))
    grid.wait_status(RunState.WAITING, run)
    assert "0 runs submitted" in grid.submit().out
    grid.cluster.call("scontrol", "release", grid.array_task(run))
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(2, True)]
