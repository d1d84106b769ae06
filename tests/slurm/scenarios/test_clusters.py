"""Scenarios with two clusters under one accounting: jobs are followed on their own cluster, whatever the shell says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmark.core.run_state import RunState
from slurm.testing import Cluster, ClusterLayout
from tests.slurm.scenarios.grid import Grid

pytestmark = pytest.mark.slow

ON_BIG = {"clusters": "big", "hold": True}


@pytest.fixture(scope="module")
def shared_big(cluster: Cluster) -> Iterator[Cluster]:
    """Cluster beside the default one; accounting knows its name only once."""
    with Cluster(ClusterLayout(nodes=1, name="big"), partner=cluster) as other:
        yield other


@pytest.fixture
def big(shared_big: Cluster) -> Iterator[Cluster]:
    """Cluster beside the default one, without jobs."""
    yield shared_big
    shared_big.cancel_jobs(timeout_s=60)


def test_jobs_of_a_cluster_that_the_profile_names_are_followed(
    grid: Grid, big: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid.write_study(seeds=2, additional_parameters=ON_BIG)
    assert " on big (" in grid.submit().out
    monkeypatch.setenv("SLURM_CLUSTERS", "lab")
    assert grid.states() == [RunState.WAITING] * 2
    assert "0 runs submitted" in grid.submit().out
    result = grid.run_command("cancel", "grid")
    assert (result.code, result.out) == (0, "2 runs in 2 jobs canceled\n")
    assert big.call("squeue", "--noheader") == "" and grid.states() == [RunState.MISSING] * 2


def test_a_cluster_that_only_the_submitting_shell_names_is_remembered(
    grid: Grid, big: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid.write_study()
    monkeypatch.setenv("SLURM_CLUSTERS", "big")
    assert " on big (" in grid.submit().out
    monkeypatch.delenv("SLURM_CLUSTERS")
    assert grid.state(grid.run) in (RunState.WAITING, RunState.RUNNING)
    grid.finish()
    assert len(grid.list_attempts(grid.run)) == 1


def test_jobs_are_followed_from_the_login_node_of_another_cluster(
    grid: Grid, big: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid.write_study(held=True)
    assert "1 run submitted" in grid.submit().out
    monkeypatch.setenv("SLURM_CONF", big.environment["SLURM_CONF"])
    assert grid.state(grid.run) == RunState.WAITING
    assert "0 runs submitted" in grid.submit().out
    assert grid.run_command("cancel", "grid").code == 0
    assert grid.list_queue() == []


def test_a_lost_job_of_another_cluster_is_adopted_there(grid: Grid, big: Cluster) -> None:
    grid.write_study(additional_parameters=ON_BIG)
    grid.kill_submitter(after_sending=True)
    result = grid.submit()
    assert "0 runs submitted" in result.out and "of an interrupted submission found in the queue" in result.err
    assert grid.state(grid.run) == RunState.WAITING
