"""What a cluster offers to a user: partitions with their nodes and limits, accounts and QOS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from slurm.scheduler.cluster_config import SlurmUnreachableError, find_user_name
from slurm.scheduler.job_info import parse_duration_s
from slurm.scheduler.slurm_command import run_slurm

_NODE_COLUMNS = "%N|%P|%c|%m|%G|%f"


@dataclass(frozen=True)
class NodeKind:
    """What a node of a partition has.

    Attributes:
        cpus: Processors.
        memory_mb: Memory in MB.
        gpus: Number of GPUs by type; the type is empty if the cluster names none.
        features: Features that a constraint may ask for.
    """

    cpus: int
    memory_mb: int
    gpus: tuple[tuple[str, int], ...] = ()
    features: tuple[str, ...] = ()

    @property
    def num_gpus(self) -> int:
        """Number of GPUs of all types."""
        return sum(count for _, count in self.gpus)


@dataclass(frozen=True)
class PartitionOffer:
    """A partition as a user sees it.

    Attributes:
        name: Name of the partition.
        is_default: Whether jobs that name no partition run here.
        is_up: Whether it accepts and starts jobs.
        max_time_s: Longest time limit in seconds; None if there is no limit.
        preempt_mode: What happens to preempted jobs: OFF, CANCEL, REQUEUE, SUSPEND, ...
        nodes: Its nodes.
    """

    name: str
    is_default: bool = False
    is_up: bool = True
    max_time_s: float | None = None
    preempt_mode: str = ""
    nodes: tuple[NodeKind, ...] = ()

    @property
    def has_gpus(self) -> bool:
        """Whether some of its nodes have GPUs."""
        return any(node.num_gpus for node in self.nodes)


@dataclass(frozen=True)
class Inventory:
    """What a cluster offers to this user.

    Attributes:
        cluster: Name of the cluster.
        partitions: Partitions, the default one first.
        accounts: Accounts of this user, the default one first; empty if unknown.
        qos: QOS of this user, the default one first; empty if unknown.
    """

    cluster: str
    partitions: tuple[PartitionOffer, ...]
    accounts: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()


def query_inventory(*, environment: Mapping[str, str] | None = None) -> Inventory:
    """Ask the default cluster of this machine what it offers to this user.

    Args:
        environment: Variables in addition to those of this process.

    Raises:
        SlurmUnreachableError: SLURM is not installed, or its controller does not answer.
    """
    config = run_slurm("scontrol", "show", "config", environment=environment)
    partitions = run_slurm("scontrol", "--oneliner", "show", "partition", environment=environment)
    nodes = run_slurm("sinfo", "--noheader", "--Node", f"--format={_NODE_COLUMNS}", environment=environment)
    for output in (config, partitions, nodes):
        if not output.ok:
            raise SlurmUnreachableError(output.error)
    match = re.search(r"^ClusterName\s*= (\S+)", config.stdout, flags=re.MULTILINE)
    cluster = match[1] if match else ""
    columns = "format=DefaultAccount,Account,QOS,DefaultQOS"
    where = ("where", f"name={find_user_name()}", *([f"cluster={cluster}"] if cluster else []), "withassoc", columns)
    associations = run_slurm("sacctmgr", "--noheader", "--parsable2", "show", "user", *where, environment=environment)
    known = associations.stdout if associations.ok else ""
    return parse_inventory(cluster, partitions=partitions.stdout, nodes=nodes.stdout, associations=known)


def parse_inventory(cluster: str, *, partitions: str, nodes: str, associations: str) -> Inventory:
    """Parse what SLURM prints about partitions, nodes and associations.

    Args:
        cluster: Name of the cluster.
        partitions: Output of `scontrol --oneliner show partition`.
        nodes: Lines of name, partition, processors, memory, generic resources, features; one a node and partition.
        associations: Lines of default account, account, QOS, default QOS.
    """
    kinds: dict[str, list[NodeKind]] = {}
    for name, kind in _parse_nodes(nodes):
        kinds.setdefault(name, []).append(kind)
    offers = [_parse_partition(line, kinds) for line in partitions.splitlines() if line.startswith("PartitionName=")]
    cells = [line.split("|") for line in associations.splitlines() if line.count("|") == 3]
    return Inventory(
        cluster=cluster,
        partitions=tuple(sorted(offers, key=lambda offer: not offer.is_default)),
        accounts=_drop_repeated([*(row[0] for row in cells), *(row[1] for row in cells)]),
        qos=_drop_repeated([*(row[3] for row in cells), *(name for row in cells for name in row[2].split(","))]),
    )


def _parse_nodes(text: str) -> Iterator[tuple[str, NodeKind]]:
    """Yield the partition and the kind of each node."""
    for line in text.splitlines():
        cells = line.strip().split("|")
        if len(cells) != 6:
            continue
        _, partition, cpus, memory, gres, features = cells
        names = () if features == "(null)" else tuple(features.split(","))
        kind = NodeKind(_parse_int(cpus), _parse_int(memory), tuple(_parse_gpus(gres)), names)
        yield partition.rstrip("*"), kind


def _parse_gpus(text: str) -> Iterator[tuple[str, int]]:
    """Yield type and number of the GPUs in gpu:2, gpu:a100:4(S:0-1) and the like; several are separated by commas."""
    for part in re.sub(r"\([^)]*\)", "", text).split(","):
        match = re.fullmatch(r"gpu(?::([^:\d][^:]*))?(?::(\d+))?", part.strip())
        if match:
            yield match[1] or "", int(match[2] or 1)


def _parse_partition(line: str, kinds: Mapping[str, list[NodeKind]]) -> PartitionOffer:
    fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
    name = fields["PartitionName"]
    return PartitionOffer(
        name=name,
        is_default=fields.get("Default") == "YES",
        is_up=fields.get("State", "UP") == "UP",
        max_time_s=parse_duration_s(fields.get("MaxTime", "")),
        preempt_mode=fields.get("PreemptMode", ""),
        nodes=tuple(kinds.get(name, ())),
    )


def _parse_int(text: str) -> int:
    """Return the number that a cell begins with; sinfo writes 64+ for nodes that differ."""
    match = re.match(r"\d+", text)
    return int(match[0]) if match else 0


def _drop_repeated(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
