"""Which cluster a command names so that it reaches a job."""

from __future__ import annotations

import pytest

from slurm.scheduler.clusters import choose_route


@pytest.mark.parametrize(
    ("job_cluster", "default", "requested", "route"),
    [
        ("lab", "lab", "", ""),
        ("lab", "lab", "lab", ""),
        ("big", "lab", "big", "big"),
        ("lab", "big", "", "lab"),  # another login node, whose default is another cluster
        ("lab", "", "", ""),  # the controller does not answer: naming the cluster needs accounting, too
        ("big", "", "big", "big"),
        ("", "lab", "", ""),
        ("", "", "", ""),
    ],
)
def test_a_cluster_is_named_only_if_commands_would_miss_it(
    job_cluster: str, default: str, requested: str, route: str
) -> None:
    assert choose_route(job_cluster, default=default, requested=requested) == route
