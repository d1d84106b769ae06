"""Tests of the commands for a cluster that outlives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.testing import Cluster, ClusterLayout, commands, find_obstacle
from slurm.testing.cluster import daemons

UP = ("up", "--nodes=1", "--no-accounting")


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Directory of the cluster, which is not that of the developer who runs this test."""
    if reason := find_obstacle(ClusterLayout(accounting=False)):
        pytest.skip(reason)
    root = Cluster().paths.root
    monkeypatch.setattr(commands, "ROOT", root)
    yield root
    if root.exists():
        Cluster.attach(root).stop()


def test_a_cluster_is_started_and_stopped(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(UP) == 0
    assert capsys.readouterr().out.startswith(f"export SLURM_CONF={root}/etc/slurm.conf\n# 1 node with 4 processors")
    assert commands.main(["status"]) == 0
    assert "idle n1" in capsys.readouterr().out
    assert commands.main(["down"]) == 0
    assert not root.exists()


def test_a_running_cluster_is_not_restarted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands.main(UP)
    before = daemons.find_pids(Cluster.attach(root).paths, "slurmctld")
    assert commands.main(UP) == 0
    assert "already up" in capsys.readouterr().out
    assert daemons.find_pids(Cluster.attach(root).paths, "slurmctld") == before


def test_the_files_of_a_dead_cluster_are_replaced(root: Path) -> None:
    commands.main(UP)
    daemons.kill(Cluster.attach(root).paths, "slurmctld")
    assert commands.main(UP) == 0
    assert Cluster.attach(root).is_running


def test_without_a_cluster_the_error_names_the_command_that_starts_one(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(["env"]) == 1
    assert "start one with: python -m slurm.testing up" in capsys.readouterr().err
