"""Scenarios with one run on two nodes: it gives the counts of one process."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from slurm.testing.cluster import processes
from tests.slurm.scenarios.grid import NEVER, Grid
from tests.slurm.scenarios.job_attempt import JobAttempt

pytestmark = pytest.mark.slow

TWO_NODES: dict[str, Any] = {
    "nodes": 2,
    "setup": ["export MASTER_ADDR=127.0.0.1"],
    "changes": {"budget.micro_batches": 2},
}


def test_a_run_on_two_nodes_gives_the_counts_of_one_process(grid: Grid) -> None:
    grid.write_study(**TWO_NODES)
    grid.set_behavior("rush")
    grid.submit()
    grid.finish()
    assert grid.list_attempts(grid.run) == [JobAttempt(1, False)]


@pytest.mark.parametrize("task", ["0", "1"])
def test_a_run_on_two_nodes_resumes_when_one_of_its_processes_is_killed(grid: Grid, task: str) -> None:
    run = grid.start(**TWO_NODES)
    workers = grid.processes(run, containing="benchmark.execution.worker")
    (pids,) = [pid for pid in workers if processes.read_environment(pid)["SLURM_PROCID"] == task]
    os.kill(pids, signal.SIGKILL)
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(2, True)]


def test_a_preempted_run_on_two_nodes_writes_a_checkpoint_and_resumes(grid: Grid) -> None:
    run = grid.start(**TWO_NODES, partition="lowg", checkpoint_every=NEVER)
    grid.preempt(run)
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.list_attempts(run) == [JobAttempt(1, False), JobAttempt(2, True)]
