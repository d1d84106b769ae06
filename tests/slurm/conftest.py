"""Clusters for tests: real ones, started when a test first asks, one of each kind in each process of the suite."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from slurm.testing import Cluster, Layout, obstacle, stop_abandoned

Within = Callable[..., "subprocess.CompletedProcess[str]"]

PLAIN = Layout(nodes=2, accounting=False)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Four nodes of four processors, with accounting."""
    yield from _running(Layout())


@pytest.fixture(scope="session")
def plain_cluster() -> Iterator[Cluster]:
    """Two nodes of four processors; nobody keeps accounts."""
    yield from _running(PLAIN)


@pytest.fixture(autouse=True)
def _as_it_was(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test, no job is left and every node serves."""
    yield
    for name in {"cluster", "plain_cluster"} & {*request.fixturenames}:
        request.getfixturevalue(name).repair()


@pytest.fixture
def within() -> Within:
    """Runs a command, whatever its end, so that SLURM's commands below it find the cluster."""

    def run(cluster: Cluster, *command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        environment = os.environ | cluster.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False)

    return run


def _running(layout: Layout) -> Iterator[Cluster]:
    if reason := obstacle(layout):
        pytest.skip(reason)
    stop_abandoned()
    with Cluster(layout) as cluster:
        yield cluster
