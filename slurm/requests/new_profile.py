"""A first profile of a cluster, written from what the cluster offers. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from slurm.scheduler.inventory import Inventory, NodeKind, PartitionOffer

MAX_CPUS, MAX_MEM_GB, MAX_TIMEOUT_MIN = 8, 64, 1440
"""Most that a first profile asks for, so that its jobs start soon."""

CPUS_WITHOUT_GPU = 4
"""Processors of a run on nodes without GPUs."""

_PLAIN_NAME = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null|nan|inf)$)[A-Za-z_][\w.-]*", re.IGNORECASE)
"""Names that every version of YAML reads as text."""


def choose_partition(partitions: Sequence[PartitionOffer]) -> PartitionOffer:
    """Return the partition that suits a first profile: one that is open and, if there is one, has GPUs.

    Among those, the default partition and partitions without preemption come first.

    Raises:
        ValueError: No partition is open.
    """
    usable = [offer for offer in partitions if offer.is_up and offer.nodes]
    if not usable:
        raise ValueError("no partition of this cluster is open and has nodes: see sinfo -s")
    return min(
        usable, key=lambda offer: (not offer.has_gpus, not offer.is_default, offer.preempt_mode not in ("", "OFF"))
    )


def describe_partition(offer: PartitionOffer) -> str:
    """Describe a partition for people: 4 nodes, 8 GPUs, 64 CPUs and 250 GB a node, at most 24 h."""
    if not offer.nodes:
        return "no nodes"
    node = _find_smallest(offer.nodes)
    gpus = sum(kind.num_gpus for kind in offer.nodes)
    parts = [
        _count(len(offer.nodes), "node"),
        *([_count(gpus, "GPU")] if gpus else []),
        f"{_count(node.cpus, 'CPU')} and {node.memory_mb // 1024} GB a node",
        f"at most {offer.max_time_s / 3600:.3g} h" if offer.max_time_s else "no time limit",
        *(["the default"] if offer.is_default else []),
        *([] if offer.is_up else ["closed"]),
        *([f"may be preempted ({offer.preempt_mode})"] if offer.preempt_mode not in ("", "OFF") else []),
    ]
    return ", ".join(parts)


def compose_profile(inventory: Inventory, offer: PartitionOffer) -> str:
    """Return the text of a profile for one partition, with comments that say what else there is.

    Args:
        inventory: What the cluster offers.
        offer: Partition of the profile.
    """
    with_gpus = [node for node in offer.nodes if node.num_gpus]
    node = _find_smallest(with_gpus or offer.nodes)
    share = max(1, node.num_gpus)
    cpus = min(MAX_CPUS if with_gpus else CPUS_WITHOUT_GPU, max(1, node.cpus // share))
    lines = [
        f"# First profile for the cluster {inventory.cluster}, written from its own description: adapt it.",
        "executor: slurm",
        *_list_partitions(inventory, offer),
        *_list_account(inventory),
        *_list_gpus(with_gpus),
        f"cpus_per_task: {cpus}   # the smallest node has {_count(node.cpus, 'CPU')}",
        f"mem_gb: {_choose_memory(node, share)}   # the smallest node has {node.memory_mb / 1024:.3g} GB",
        *_list_time(offer),
        "array_parallelism: 20   # jobs of one array that run at a time",
        "# setup: [module load cuda]   # lines of shell that run before each job",
        "# Changes for a study, a method or a variant; any further option of sbatch:",
        "# studies: {demo: {timeout_min: 60}}",
        "# methods: {maskclip: {mem_gb: 16}}",
        "# additional_parameters: {reservation: my-course}",
    ]
    return "\n".join(lines) + "\n"


def _list_partitions(inventory: Inventory, offer: PartitionOffer) -> list[str]:
    others = [other for other in inventory.partitions if other != offer]
    return [
        f"partition: {_quote(offer.name)}   # {describe_partition(offer)}",
        *(f"# partition: {_quote(other.name)}   # {describe_partition(other)}" for other in others),
    ]


def _list_account(inventory: Inventory) -> list[str]:
    """Return the lines about account and QOS; the defaults of the cluster are left to the cluster."""
    lines = []
    if inventory.accounts:
        yours = ", ".join(inventory.accounts)
        lines.append(f"account: {_quote(inventory.accounts[0])}   # yours: {yours}")
    else:
        lines.append("# account: my-project   # if the site charges accounts: sacctmgr show associations user=$USER")
    if len(inventory.qos) > 1:
        lines.append(f"# qos: {_quote(inventory.qos[0])}   # yours: {', '.join(inventory.qos)}")
    return lines


def _list_gpus(nodes: Sequence[NodeKind]) -> list[str]:
    types = sorted({name for node in nodes for name, _ in node.gpus if name})
    features = sorted({feature for node in nodes for feature in node.features})
    return [
        *(["gpus_per_node: 1"] if nodes else []),
        *([f"# gres: gpu:{name}:1   # instead of gpus_per_node, for this type only" for name in types]),
        *([f"# constraint: {features[0]}   # features: {', '.join(features)}"] if features else []),
    ]


def _list_time(offer: PartitionOffer) -> list[str]:
    limit = int(offer.max_time_s // 60) if offer.max_time_s else None
    minutes = max(1, min(MAX_TIMEOUT_MIN, limit or MAX_TIMEOUT_MIN))
    text = f"the partition allows {limit}" if limit else "the partition has no limit"
    delay = [f"signal_delay_s: {minutes * 20}   # seconds before the limit, to save"] if minutes <= 4 else []
    return [f"timeout_min: {minutes}   # {text}; a run that needs longer continues in the next job", *delay]


def _choose_memory(node: NodeKind, share: int) -> float:
    """Return the share of a node's memory in GB, rounded down."""
    memory = node.memory_mb / share / 1024
    return min(MAX_MEM_GB, int(memory)) if memory >= 1 else max(0.1, int(memory * 10) / 10)


def _find_smallest(nodes: Sequence[NodeKind]) -> NodeKind:
    return min(nodes, key=lambda node: (node.cpus, node.memory_mb))


def _quote(name: str) -> str:
    """Return a name as YAML reads it as text."""
    return name if _PLAIN_NAME.fullmatch(name) else "'" + name.replace("'", "''") + "'"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
