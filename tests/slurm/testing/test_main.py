"""The command line of the cluster that outlives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.testing import Cluster, Layout, __main__, obstacle
from slurm.testing.cluster import daemons

UP = ("up", "--nodes=1", "--no-accounting")


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the cluster of the command line lies: not that of the developer who runs this."""
    if reason := obstacle(Layout(accounting=False)):
        pytest.skip(reason)
    root = Cluster().place.root
    monkeypatch.setattr(__main__, "ROOT", root)
    yield root
    if root.exists():
        Cluster.at(root).stop()


def test_a_cluster_goes_up_and_down(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(UP) == 0
    assert capsys.readouterr().out.startswith(f"export SLURM_CONF={root}/etc/slurm.conf\n# 1 node of 4 processors")
    assert __main__.main(["status"]) == 0
    assert "idle n1" in capsys.readouterr().out
    assert __main__.main(["down"]) == 0
    assert not root.exists()


def test_a_cluster_that_is_up_stays(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    __main__.main(UP)
    before = daemons.running(Cluster.at(root).place, "slurmctld")
    assert __main__.main(UP) == 0
    assert "already up" in capsys.readouterr().out
    assert daemons.running(Cluster.at(root).place, "slurmctld") == before


def test_what_a_dead_cluster_left_makes_room(root: Path) -> None:
    __main__.main(UP)
    daemons.kill(Cluster.at(root).place, "slurmctld")
    assert __main__.main(UP) == 0
    assert Cluster.at(root).is_up


def test_without_a_cluster_the_way_to_one_is_shown(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["env"]) == 1
    assert "start one with: python -m slurm.testing up" in capsys.readouterr().err
