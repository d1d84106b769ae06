"""Scenarios with failures of the scheduler's daemons: no run is lost, repeated or reported as failed."""

from __future__ import annotations

import pytest

from benchmark.core.run_state import RunState
from slurm.status import run_status
from tests.slurm.scenarios.grid import Grid
from tests.slurm.scenarios.job_attempt import JobAttempt

pytestmark = pytest.mark.slow


def test_runs_continue_while_the_controller_is_down(grid: Grid) -> None:
    run = grid.start()
    grid.set_behavior("rush")
    grid.cluster.restart_controller(down_s=10)
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False)]
    assert "0 runs submitted" in grid.submit().out
    grid.wait_empty()


def test_a_job_that_the_controller_lost_is_resubmitted_and_runs_once(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_status, "QUEUE_DELAY_S", 1.0)
    grid.write_study(seeds=2, held=True)
    grid.submit()
    grid.cluster.restart_controller(down_s=1.5)
    grid.submit()
    assert len(grid.list_queue()) == 2
    for run in grid.ids:
        grid.cluster.call("scontrol", "release", grid.array_task(run))
    grid.finish()
    assert [grid.list_attempts(run) for run in grid.ids] == [[JobAttempt(1, False)]] * 2


def test_runs_are_submitted_and_finish_while_accounting_is_down(grid: Grid) -> None:
    grid.cluster.stop_accounting()
    run = grid.start()
    assert grid.state(run) == RunState.RUNNING
    grid.finish()
    assert grid.run_command("collect", "grid").code == 0
    assert grid.list_attempts(run) == [JobAttempt(1, False)]


def test_no_run_is_reported_as_failed_while_the_scheduler_does_not_answer(grid: Grid) -> None:
    grid.write_study("begun")
    grid.submit()
    grid.wait_saved(grid.run)
    grid.write_study("begun", "held", held=True)
    grid.submit()
    with grid.without_munge():
        assert grid.states() == [RunState.RUNNING, RunState.UNKNOWN]
        assert grid.run_command("collect", "grid").code == 0
        assert "0 runs submitted" in grid.submit().out
    assert set(grid.states()) <= {
        RunState.RUNNING,
        RunState.WAITING,
    }  # the controller may have given up the node
    grid.cluster.call("scontrol", "release", grid.array_task(grid.ids[1]))
    grid.finish()
    assert grid.list_attempts(grid.ids[1]) == [JobAttempt(1, False)]
