"""The scheduler's own daemons fail: nothing is lost, nothing runs twice, and nothing is called failed for it."""

from __future__ import annotations

import pytest

from benchmark.core.run_state import RunState
from slurm.status import run_status
from tests.slurm.scenarios.grid import Grid, Try

pytestmark = pytest.mark.slow


def test_runs_go_on_while_the_controller_is_away(grid: Grid) -> None:
    run = grid.start()
    grid.order("rush")
    grid.cluster.restart_controller(down_s=10)
    grid.finish()
    assert grid.tries(run) == [Try(1, False)]
    assert "0 runs submitted" in grid.submit().out
    grid.wait_empty()


def test_a_job_that_the_controller_forgot_is_sent_again_and_runs_once(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_status, "QUEUE_DELAY_S", 1.0)
    grid.describe(seeds=2, held=True)
    grid.submit()
    grid.cluster.restart_controller(down_s=1.5)
    grid.submit()
    assert len(grid.queue()) == 2
    for run in grid.ids:
        grid.cluster.call("scontrol", "release", grid.target(run))
    grid.finish()
    assert [grid.tries(run) for run in grid.ids] == [[Try(1, False)]] * 2


def test_runs_are_sent_and_end_while_the_accounts_are_away(grid: Grid) -> None:
    grid.cluster.stop_accounting()
    run = grid.start()
    assert grid.standing(run) == RunState.RUNNING
    grid.finish()
    assert grid.run_command("collect", "grid").code == 0
    assert grid.tries(run) == [Try(1, False)]


def test_nothing_is_called_failed_while_nobody_may_ask_the_scheduler(grid: Grid) -> None:
    grid.describe("begun")
    grid.submit()
    grid.wait_saved(grid.run)
    grid.describe("begun", "held", held=True)
    grid.submit()
    with grid.without_munge():
        assert grid.standings() == [RunState.RUNNING, RunState.UNKNOWN]
        assert grid.run_command("collect", "grid").code == 0
        assert "0 runs submitted" in grid.submit().out
    assert set(grid.standings()) <= {RunState.RUNNING, RunState.WAITING}  # the controller may have given the node up meanwhile
    grid.cluster.call("scontrol", "release", grid.target(grid.ids[1]))
    grid.finish()
    assert grid.tries(grid.ids[1]) == [Try(1, False)]
