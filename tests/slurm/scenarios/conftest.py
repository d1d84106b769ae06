"""Fixtures of the scenarios: grids, each in a store of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmark.store.store import Store
from slurm.testing import Cluster, ClusterLayout, find_obstacle
from slurm.testing.cluster import processes
from tests.slurm.scenarios.crawler import BEHAVIORS
from tests.slurm.scenarios.grid import ROOT, Grid, Reference

MakeGrid = Callable[[Cluster], Grid]
MakeGridOnLayout = Callable[[ClusterLayout], Grid]


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Function that computes a run in this process, once per session, and returns its counts digest."""
    from benchmark.execution.runner import execute

    store = Store(tmp_path_factory.mktemp("undisturbed"))

    def compute_digest(disturbed: Store, run_id: str) -> str:
        return str(execute(disturbed.run(run_id).read_spec(), store=store).counts_digest)

    return compute_digest


@pytest.fixture
def make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reference: Reference
) -> Iterator[MakeGrid]:
    """Function that makes a grid for a cluster; processes are killed after the test."""
    grids: list[Grid] = []

    def make_grid(cluster: Cluster) -> Grid:
        grid = Grid(cluster, tmp_path, capsys, reference)
        grid.behaviors.mkdir()
        # users do not have torchmetrics; if it is installed, lightning imports it, which doubles the import time
        (tmp_path / "torchmetrics.py").write_text("raise ImportError")
        for name, value in {BEHAVIORS: str(grid.behaviors), "PYTHONPATH": str(tmp_path), **cluster.environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(ROOT)
        grids.append(grid)
        return grid

    yield make_grid
    for grid in grids:
        processes.kill(processes.find_by_environment({BEHAVIORS: str(grid.behaviors)}))


@pytest.fixture
def grid(make: MakeGrid, cluster: Cluster) -> Grid:
    """Grid for the cluster with accounting."""
    return make(cluster)


@pytest.fixture
def plain_grid(make: MakeGrid, plain_cluster: Cluster) -> Grid:
    """Grid for the cluster without accounting."""
    return make(plain_cluster)


@pytest.fixture
def make_on(make: MakeGrid) -> Iterator[MakeGridOnLayout]:
    """Function that makes a grid for a cluster of its own."""
    with ExitStack() as stack:

        def make_grid(layout: ClusterLayout) -> Grid:
            if reason := find_obstacle(layout):
                pytest.skip(reason)
            return make(stack.enter_context(Cluster(layout)))

        yield make_grid
