"""Grids for the scenarios, each in a store of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmark.store.store import Store
from slurm.testing import Cluster, ClusterLayout, find_obstacle
from slurm.testing.cluster import processes
from tests.slurm.scenarios.crawler import ORDERS
from tests.slurm.scenarios.grid import ROOT, Grid, Reference

Made = Callable[[Cluster], Grid]
OnLayout = Callable[[ClusterLayout], Grid]


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Does a run in this process, once in a session, and gives its counts digest."""
    from benchmark.execution.runner import execute

    store = Store(tmp_path_factory.mktemp("undisturbed"))

    def digest(given: Store, run_id: str) -> str:
        return str(execute(given.run(run_id).read_spec(), store=store).counts_digest)

    return digest


@pytest.fixture
def make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reference: Reference
) -> Iterator[Made]:
    """Makes a grid for a cluster; its processes are gone after the test."""
    grids: list[Grid] = []

    def made(cluster: Cluster) -> Grid:
        grid = Grid(cluster, tmp_path, capsys, reference)
        grid.orders.mkdir()
        # users do not have torchmetrics; where it lies, lightning imports it, which takes as long as all the rest
        (tmp_path / "torchmetrics.py").write_text("raise ImportError")
        for name, value in {ORDERS: str(grid.orders), "PYTHONPATH": str(tmp_path), **cluster.environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(ROOT)
        grids.append(grid)
        return grid

    yield made
    for grid in grids:
        processes.kill(processes.find_by_environment({ORDERS: str(grid.orders)}))


@pytest.fixture
def grid(make: Made, cluster: Cluster) -> Grid:
    """For the cluster with accounting."""
    return make(cluster)


@pytest.fixture
def plain_grid(make: Made, plain_cluster: Cluster) -> Grid:
    """For the cluster that keeps no accounts."""
    return make(plain_cluster)


@pytest.fixture
def on(make: Made) -> Iterator[OnLayout]:
    """Makes a grid for a cluster of its own."""
    with ExitStack() as stack:

        def made(layout: ClusterLayout) -> Grid:
            if reason := find_obstacle(layout):
                pytest.skip(reason)
            return make(stack.enter_context(Cluster(layout)))

        yield made
