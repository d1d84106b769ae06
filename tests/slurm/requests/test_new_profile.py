"""First profiles of clusters that are described by recorded and by made-up output."""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.requests.new_profile import choose_partition, compose_profile, describe_partition
from slurm.requests.profile import SlurmProfile, load_profile
from slurm.scheduler.inventory import Inventory, NodeKind, PartitionOffer, parse_inventory

GPU_NODE = NodeKind(cpus=64, memory_mb=512_000, gpus=(("a100", 4),), features=("ib", "a100"))
CPU_NODE = NodeKind(cpus=2, memory_mb=700)

PARTITIONS = """
PartitionName=short AllowGroups=ALL Default=YES MaxTime=00:30:00 State=UP PreemptMode=OFF Nodes=c[1-2]
PartitionName=gpu Default=NO MaxTime=2-00:00:00 State=UP PreemptMode=OFF Nodes=g1
PartitionName=spare Default=NO MaxTime=UNLIMITED State=UP PreemptMode=REQUEUE Nodes=g1
PartitionName=old Default=NO MaxTime=UNLIMITED State=DOWN PreemptMode=OFF Nodes=g1
"""
NODES = """
c1|short*|2|700|(null)|(null)
c2|short*|2+|700|(null)|(null)
g1|gpu|64|512000|gpu:a100:4(S:0-1),shard:8|ib,a100
g1|spare|64|512000|gpu:a100:4(S:0-1),shard:8|ib,a100
g1|old|64|512000|gpu:a100:4(S:0-1),shard:8|ib,a100
"""
ASSOCIATIONS = "lab|other|normal,long|normal\nlab|lab|normal|\n"


@pytest.fixture
def inventory() -> Inventory:
    return parse_inventory("hal", partitions=PARTITIONS, nodes=NODES, associations=ASSOCIATIONS)


def _load(text: str, folder: Path) -> SlurmProfile:
    path = folder / "mine.yaml"
    path.write_text(text)
    profile = load_profile(str(path))
    assert isinstance(profile, SlurmProfile)
    return profile


def test_the_inventory_is_what_slurm_prints(inventory: Inventory) -> None:
    short, gpu, spare, old = inventory.partitions
    assert short == PartitionOffer("short", True, True, 1800, "OFF", (CPU_NODE, CPU_NODE))
    assert gpu == PartitionOffer("gpu", False, True, 172_800, "OFF", (GPU_NODE,))
    assert (spare.max_time_s, spare.preempt_mode, old.is_up) == (None, "REQUEUE", False)
    assert (inventory.accounts, inventory.qos) == (("lab", "other"), ("normal", "long"))


def test_a_profile_asks_for_one_gpu_and_its_share_of_the_node(inventory: Inventory, tmp_path: Path) -> None:
    base = _load(compose_profile(inventory, inventory.partitions[1]), tmp_path).base
    assert (base.partition, base.account, base.gpus_per_node) == ("gpu", "lab", 1)
    assert (base.cpus_per_task, base.mem_gb, base.timeout_min) == (8, 64, 1440)  # of 16, 125 and 2880


def test_a_profile_for_nodes_without_gpus_fits_the_smallest_node(inventory: Inventory, tmp_path: Path) -> None:
    base = _load(compose_profile(inventory, inventory.partitions[0]), tmp_path).base
    assert (base.gpus, base.cpus_per_task, base.mem_gb, base.timeout_min) == (0, 2, 0.6, 30)


def test_a_profile_says_what_else_there_is(inventory: Inventory) -> None:
    text = compose_profile(inventory, inventory.partitions[1])
    assert "# partition: spare   # 1 node, 4 GPUs, 64 CPUs and 500 GB a node, no time limit, may be preempted" in text
    assert "# gres: gpu:a100:1" in text and "features: a100, ib" in text
    assert "account: lab   # yours: lab, other" in text and "# qos: normal   # yours: normal, long" in text


def test_a_cluster_without_accounting_leaves_the_account_out(tmp_path: Path) -> None:
    inventory = parse_inventory("hal", partitions=PARTITIONS, nodes=NODES, associations="")
    text = compose_profile(inventory, inventory.partitions[0])
    assert _load(text, tmp_path).base.account is None and "# account: my-project" in text


@pytest.mark.parametrize("minutes", [1, 2, 4, 5])
def test_a_short_time_limit_gives_a_valid_profile(minutes: int, tmp_path: Path) -> None:
    offer = PartitionOffer("debug", max_time_s=60.0 * minutes, nodes=(CPU_NODE,))
    assert _load(compose_profile(Inventory("hal", (offer,)), offer), tmp_path).base.timeout_min == minutes


@pytest.mark.parametrize("name", ["012", "yes", "10:30", "on", "gpu partition", "1e3", "a#b"])
def test_names_that_yaml_reads_otherwise_are_quoted(name: str, tmp_path: Path) -> None:
    offer = PartitionOffer(name, nodes=(CPU_NODE,))
    text = compose_profile(Inventory("hal", (offer,), accounts=(name,)), offer)
    assert (_load(text, tmp_path).base.partition, _load(text, tmp_path).base.account) == (name, name)


def test_an_open_partition_with_gpus_that_does_not_preempt_comes_first(inventory: Inventory) -> None:
    assert choose_partition(inventory.partitions).name == "gpu"
    assert choose_partition([inventory.partitions[0], inventory.partitions[3]]).name == "short"
    with pytest.raises(ValueError, match="no partition of this cluster is open"):
        choose_partition(inventory.partitions[3:])


def test_a_partition_is_described_for_people(inventory: Inventory) -> None:
    text = "2 nodes, 2 CPUs and 0 GB a node, at most 0.5 h, the default"
    assert describe_partition(inventory.partitions[0]) == text
