"""Scenarios with failures of nodes and their daemons: runs resume there or on other nodes."""

from __future__ import annotations

import pytest

from benchmark.core.run_state import RunState
from slurm.testing.cluster import processes
from tests.slurm.scenarios.grid import Grid
from tests.slurm.scenarios.job_attempt import JobAttempt

pytestmark = pytest.mark.slow

LONG = {"budget.iterations": 600}


def test_a_run_resumes_after_its_node_is_set_down(grid: Grid) -> None:
    run = grid.start()
    grid.cluster.call("scontrol", "update", f"nodename={grid.node(run)}", "state=down", "reason=test")
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(2, True)]


def test_a_run_without_requeueing_resumes_when_it_is_resubmitted(grid: Grid) -> None:
    run = grid.start(requeue=False)
    grid.cluster.call("scontrol", "update", f"nodename={grid.node(run)}", "state=down", "reason=test")
    grid.wait_status(RunState.INTERRUPTED, run)
    assert "1 run submitted" in grid.submit().out
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(1, True)]


def test_a_run_whose_node_crashes_resumes_on_another_node(grid: Grid) -> None:
    run = grid.start()
    crashed = grid.node(run)
    grid.cluster.kill_node(crashed)
    grid.wait_attempt(2, run)
    assert grid.node(run) != crashed
    grid.cluster.start_node(crashed)
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(2, True)]


def test_a_process_that_outlives_its_node_is_superseded(grid: Grid) -> None:
    run = grid.start(changes=LONG)
    left_behind = grid.worker(run)
    grid.cluster.kill_slurmd(grid.node(run))
    grid.wait_attempt(2, run)
    assert processes.is_alive(left_behind)
    grid.finish()
    grid.wait(lambda: not processes.is_alive(left_behind), event="the first process ends")
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(2, True)]
    assert "it writes no more" in grid.store.run(run).find_log(1).read_text()
    assert grid.store.run(run).read_record().attempts == 2


def test_a_run_whose_batch_step_loses_its_daemon_is_not_repeated(grid: Grid) -> None:
    run = grid.start()
    grid.kill_step_daemon(run, "batch")
    grid.finish()
    grid.wait_empty(timeout_s=120)
    assert grid.list_attempts(run) == [JobAttempt(1, False)]


def test_a_run_that_outlives_its_job_is_not_resubmitted(grid: Grid) -> None:
    run = grid.start(changes=LONG)
    grid.kill_step_daemon(run, "0")
    grid.wait_empty()
    assert grid.state(run) == RunState.RUNNING
    assert "0 runs submitted" in grid.submit().out
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False)]


def test_a_run_whose_batch_script_is_killed_resumes_when_it_is_resubmitted(grid: Grid) -> None:
    run = grid.start()
    grid.kill(run, "slurm_script")
    grid.wait_status(RunState.INTERRUPTED, run)
    assert "1 run submitted" in grid.submit().out
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(1, True)]


def test_the_next_try_avoids_a_node_under_which_a_run_failed(grid: Grid) -> None:
    grid.write_study()
    grid.set_behavior("blame the node")
    grid.submit()
    grid.wait_stored_state(RunState.FAILED)
    failed = grid.node(grid.run)
    line = f"node {failed} is avoided by the next submission: uncorrectable memory error of a GPU"
    assert line in grid.run_command("status", "grid").out and line in grid.run_command("collect", "grid").out
    grid.set_behavior("rush")
    assert f"node {failed} is avoided" in grid.retry().out
    assert grid.job(grid.run)["ExcNodeList"] == failed
    grid.finish()
    assert grid.node(grid.run) != failed
