"""Real clusters for tests, started on first use: one of each kind per test process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from slurm.testing import Cluster, ClusterLayout, find_obstacle, stop_abandoned_clusters

RunWithin = Callable[..., "subprocess.CompletedProcess[str]"]

PLAIN = ClusterLayout(nodes=2, accounting=False)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Four nodes with four processors each, with accounting."""
    yield from _run_cluster(ClusterLayout())


@pytest.fixture(scope="session")
def plain_cluster() -> Iterator[Cluster]:
    """Two nodes with four processors each, without accounting."""
    yield from _run_cluster(PLAIN)


@pytest.fixture(autouse=True)
def _repair_clusters(request: pytest.FixtureRequest) -> Iterator[None]:
    """Cancel all jobs and resume all nodes after each test."""
    yield
    for name in {"cluster", "plain_cluster"} & {*request.fixturenames}:
        request.getfixturevalue(name).repair()


@pytest.fixture
def run_within() -> RunWithin:
    """Function that runs a command with the environment of a cluster and returns its result."""

    def run(cluster: Cluster, *command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        environment = os.environ | cluster.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False)

    return run


def _run_cluster(layout: ClusterLayout) -> Iterator[Cluster]:
    if reason := find_obstacle(layout):
        pytest.skip(reason)
    stop_abandoned_clusters()
    with Cluster(layout) as cluster:
        yield cluster
