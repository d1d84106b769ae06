"""Scenarios of submission: every run is sent once, even if submissions are concurrent or killed."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from benchmark.core.run_state import RunState
from tests.slurm.scenarios.grid import Grid
from tests.slurm.scenarios.job_attempt import JobAttempt


def test_a_grid_gives_the_counts_of_one_process(grid: Grid) -> None:
    grid.write_study(seeds=2, runs_per_job=2, cpus_per_task=2)
    grid.set_behavior("rush")
    assert "2 runs in an array of 1" in grid.submit().out
    grid.finish()
    assert [grid.list_attempts(run) for run in grid.ids] == [[JobAttempt(1, False)]] * 2
    assert grid.run_command("collect", "grid").code == 0
    assert "Crawler" in grid.run_command("table", "grid").out
    assert "0 runs submitted" in grid.submit().out


def test_a_second_submission_sends_nothing(grid: Grid) -> None:
    grid.write_study(seeds=3, held=True)
    assert "3 runs submitted" in grid.submit().out
    assert "0 runs submitted" in grid.submit().out
    assert len(grid.list_queue()) == 3


def test_two_concurrent_submissions_send_every_run_once(grid: Grid) -> None:
    grid.write_study(seeds=3, held=True)
    submitters = [grid.start_submitter() for _ in range(2)]
    assert [submitter.wait() for submitter in submitters] == [0, 0]
    assert len(grid.list_queue()) == 3


@pytest.mark.parametrize("accounts", ["grid", pytest.param("plain_grid", marks=pytest.mark.slow)])
def test_a_job_whose_submitter_was_killed_is_adopted(accounts: str, request: pytest.FixtureRequest) -> None:
    grid: Grid = request.getfixturevalue(accounts)
    grid.write_study(held=True)
    grid.kill_submitter(after_sending=True)
    assert grid.state(grid.run) == RunState.UNKNOWN
    result = grid.submit()
    assert "0 runs submitted" in result.out and "of an interrupted submission found in the queue" in result.err
    assert grid.state(grid.run) == RunState.WAITING and len(grid.list_queue()) == 1


@pytest.mark.slow
def test_a_job_that_starts_after_its_submitter_was_killed_is_adopted(plain_grid: Grid) -> None:
    plain_grid.write_study()
    plain_grid.kill_submitter(after_sending=True)
    plain_grid.wait_saved(plain_grid.run)
    assert "0 runs submitted" in plain_grid.submit().out
    plain_grid.finish()
    assert plain_grid.list_attempts(plain_grid.run) == [JobAttempt(1, False)]


def test_a_submission_whose_answer_was_lost_is_found_and_not_sent_twice(
    plain_grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_grid.write_study(seeds=2, held=True)
    program = plain_grid.root / "bin" / "sbatch"
    program.parent.mkdir()
    error = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    program.write_text(f'#!/bin/sh\n{shutil.which("sbatch")} "$@" >/dev/null\necho "{error}" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert "2 runs submitted" in plain_grid.submit().out
    assert len(plain_grid.list_queue()) == 2 and set(plain_grid.states()) == {RunState.WAITING}


@pytest.mark.slow
def test_runs_whose_submitter_was_killed_before_sending_are_sent_by_the_next(plain_grid: Grid) -> None:
    plain_grid.write_study(held=True)
    plain_grid.kill_submitter(after_sending=False)
    assert plain_grid.list_queue() == []
    assert "1 run submitted" in plain_grid.submit().out


@pytest.mark.parametrize("settings", [{"partition": "nowhere"}, {"mem_gb": 9999}])
def test_a_refusal_by_the_scheduler_is_one_line_and_nothing_is_sent(plain_grid: Grid, settings: dict[str, Any]) -> None:
    plain_grid.write_study(seeds=2, **settings)
    result = plain_grid.submit()
    assert result.code == 1 and len(result.err.splitlines()) == 1
    assert plain_grid.list_queue() == []
    assert {plain_grid.state(run) for run in plain_grid.ids} == {RunState.MISSING}
