"""Grids go to the scheduler once, whoever sends them and wherever a submitter dies."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.core.run_state import RunState
from tests.slurm.scenarios.grid import Grid, Try


def test_a_grid_comes_to_what_one_process_comes_to(grid: Grid) -> None:
    grid.describe(seeds=2, runs_per_job=2, cpus_per_task=2)
    grid.order("rush")
    assert "2 runs in an array of 1" in grid.submit().out
    grid.finish()
    assert [grid.tries(run) for run in grid.ids] == [[Try(1, False)]] * 2
    assert grid.run_command("collect", "grid").code == 0
    assert "Crawler" in grid.run_command("table", "grid").out
    assert "0 runs submitted" in grid.submit().out


def test_a_second_submit_sends_nothing(grid: Grid) -> None:
    grid.describe(seeds=3, held=True)
    assert "3 runs submitted" in grid.submit().out
    assert "0 runs submitted" in grid.submit().out
    assert len(grid.queue()) == 3


def test_two_submitters_at_once_send_every_run_once(grid: Grid) -> None:
    grid.describe(seeds=3, held=True)
    submitters = [grid.submitter() for _ in range(2)]
    assert [submitter.wait() for submitter in submitters] == [0, 0]
    assert len(grid.queue()) == 3


@pytest.mark.parametrize("accounts", ["grid", "plain_grid"])
def test_a_job_whose_submitter_was_killed_is_adopted(accounts: str, request: pytest.FixtureRequest) -> None:
    grid: Grid = request.getfixturevalue(accounts)
    grid.describe(held=True)
    grid.kill_submitter(after_sending=True)
    assert grid.standing(grid.run) == RunState.UNKNOWN
    result = grid.submit()
    assert "0 runs submitted" in result.out and "of an interrupted submission found in the queue" in result.err
    assert grid.standing(grid.run) == RunState.WAITING and len(grid.queue()) == 1


def test_a_job_that_begins_without_its_submitter_is_known(plain_grid: Grid) -> None:
    plain_grid.describe()
    plain_grid.kill_submitter(after_sending=True)
    plain_grid.wait_saved(plain_grid.run)
    assert "0 runs submitted" in plain_grid.submit().out
    plain_grid.finish()
    assert plain_grid.tries(plain_grid.run) == [Try(1, False)]


def test_what_a_submitter_died_over_before_it_sent_it_is_sent_by_the_next(plain_grid: Grid) -> None:
    plain_grid.describe(held=True)
    plain_grid.kill_submitter(after_sending=False)
    assert plain_grid.queue() == []
    assert "1 run submitted" in plain_grid.submit().out


@pytest.mark.parametrize("settings", [{"partition": "nowhere"}, {"mem_gb": 9999}])
def test_what_the_scheduler_refuses_is_one_line_and_nothing_is_sent(plain_grid: Grid, settings: dict[str, Any]) -> None:
    plain_grid.describe(seeds=2, **settings)
    result = plain_grid.submit()
    assert result.code == 1 and len(result.err.splitlines()) == 1
    assert plain_grid.queue() == []
    assert {plain_grid.standing(run) for run in plain_grid.ids} == {RunState.MISSING}
