"""Nodes of a partition, and which of those that failed a new job can do without."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slurm.scheduler.slurm_command import run_slurm

_USABLE = ("alloc", "comp", "idle", "mix", "plnd", "resv")
"""Beginnings of the states of nodes that work on jobs now or later, as `sinfo --format=%t` prints them."""


@dataclass(frozen=True)
class Node:
    """A node of a partition.

    Attributes:
        name: Name of the node.
        is_usable: Whether jobs may run on it now or later.
        features: Features that a constraint may ask for.
        has_gpus: Whether it has GPUs.
    """

    name: str
    is_usable: bool
    features: frozenset[str] = frozenset()
    has_gpus: bool = False


def query_nodes(*, partition: str = "", cluster: str = "", environment: Mapping[str, str] | None = None) -> list[Node]:
    """Ask SLURM for the nodes of a partition; empty if it does not answer.

    Args:
        partition: Partitions, separated by commas; the default partition if empty.
        cluster: Name of the cluster; the default cluster of this machine if empty.
        environment: Variables in addition to those of this process.
    """
    options = ("--noheader", "--Node", "--format=%N|%P|%t|%f|%G", *([f"--partition={partition}"] if partition else []))
    output = run_slurm("sinfo", *options, cluster=cluster, environment=environment)
    return list(_parse_nodes(output.stdout, is_default=not partition)) if output.ok else []


def _parse_nodes(text: str, *, is_default: bool) -> Iterator[Node]:
    for line in text.splitlines():
        cells = line.strip().split("|")
        if len(cells) != 5 or (is_default and not cells[1].endswith("*")):  # sinfo marks the default partition
            continue
        name, _, state, features, gres = cells
        is_usable = state.startswith(_USABLE) and not state.endswith("*")  # * marks a node that does not respond
        yield Node(name, is_usable, frozenset(features.split(",")), "gpu" in gres)


def expand_nodes(text: str) -> list[str]:
    """Return the nodes in SLURM's short form, such as n[1-2,7]; needs no controller."""
    if "[" not in text:
        return [name for name in text.split(",") if name]
    return run_slurm("scontrol", "show", "hostnames", text).stdout.split()


def choose_avoidable(
    failed: Mapping[str, str], nodes: list[Node], *, num_needed: int, constraint: str = "", needs_gpus: bool = False
) -> dict[str, str]:
    """Return the failed nodes that a job can do without: at most half of those that it could use, and never all.

    Args:
        failed: Reason of each failed node, the worst first.
        nodes: Nodes of the job's partition.
        num_needed: Number of nodes that the job needs.
        constraint: Features that the job asks for.
        needs_gpus: Whether the job asks for GPUs.
    """
    wanted = set(re.findall(r"[\w.-]+", constraint))
    fitting = {
        node.name
        for node in nodes
        if node.is_usable and (not wanted or wanted & node.features) and (node.has_gpus or not needs_gpus)
    }
    room = min(len(fitting) // 2, len(fitting) - num_needed)
    down = {node.name for node in nodes if not node.is_usable}
    usable = [name for name in failed if name in fitting][: max(0, room)]
    return {name: reason for name, reason in failed.items() if name in usable or (name in down and fitting)}
