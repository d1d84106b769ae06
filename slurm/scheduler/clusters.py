"""Clusters of a site: which one a command has to name so that it reaches a job, whatever the shell says."""

from __future__ import annotations

from collections.abc import Mapping

from slurm.scheduler.cluster_config import parse_cluster_config
from slurm.scheduler.slurm_command import run_slurm


def find_default_cluster(*, environment: Mapping[str, str] | None = None) -> str:
    """Return the name of the cluster that commands reach if they name none; empty if it does not answer."""
    output = run_slurm("scontrol", "show", "config", environment=environment, retries=False)
    return parse_cluster_config(output.stdout).cluster if output.ok else ""


def choose_route(cluster: str, *, default: str, requested: str) -> str:
    """Return the cluster that a command has to name to reach a job; empty if none has to be named.

    Naming one needs SLURM's accounting, so the default cluster of this machine is not named.

    Args:
        cluster: Cluster of the job; empty if unknown.
        default: Default cluster of this machine; empty if it does not answer.
        requested: Clusters that the submission named; empty for the default cluster of its machine.
    """
    if cluster == default:
        return ""
    return cluster if default or requested else ""
