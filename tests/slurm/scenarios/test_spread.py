"""One run over two nodes: it comes to what it comes to in one process."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from slurm.testing.cluster import processes
from tests.slurm.scenarios.grid import NEVER, Grid, Try

pytestmark = pytest.mark.slow

SPREAD: dict[str, Any] = {"nodes": 2, "setup": ["export MASTER_ADDR=127.0.0.1"], "changes": {"budget.micro_batches": 2}}


def test_a_run_over_two_nodes_comes_to_what_one_process_comes_to(grid: Grid) -> None:
    grid.describe(**SPREAD)
    grid.order("rush")
    grid.submit()
    grid.finish()
    assert grid.tries(grid.run) == [Try(1, False)]


@pytest.mark.parametrize("task", ["0", "1"])
def test_a_run_over_two_nodes_goes_on_when_one_of_its_processes_is_killed(grid: Grid, task: str) -> None:
    run = grid.start(**SPREAD)
    workers = grid.processes(run, called="benchmark.execution.worker")
    (doomed,) = [pid for pid in workers if processes.variables(pid)["SLURM_PROCID"] == task]
    os.kill(doomed, signal.SIGKILL)
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.tries(run) == [Try(1, False), Try(2, True)]


def test_a_run_over_two_nodes_that_is_warned_saves_and_goes_on(grid: Grid) -> None:
    run = grid.start(**SPREAD, partition="lowg", checkpoint_every=NEVER)
    grid.preempt(run)
    grid.wait_attempt(2, run)
    grid.finish()
    assert grid.tries(run) == [Try(1, False), Try(2, True)]
