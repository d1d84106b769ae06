"""Configuration files of the daemons: slurm.conf and its companions, below a cluster's directory."""

from __future__ import annotations

import os
import pwd
import random
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path
from string import Template

from slurm.testing.cluster.layout import ClusterLayout, ClusterPaths

GRES = "AutoDetect=off\n"
CGROUP = """CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainRAMSpace=yes
"""
MEMORY_CGROUP = Path("/sys/fs/cgroup/memory")
"""Directory of the memory controller of cgroup v1."""

_LOWEST_PORT = 10000


def write_config(paths: ClusterPaths, layout: ClusterLayout, *, partner: ClusterPaths | None = None) -> None:
    """Write the configuration of a cluster with ports that are free now and a random first job id.

    Args:
        paths: Paths of the cluster's files.
        layout: Size and features.
        partner: Paths of the cluster whose accounting daemon and key it shares; None for its own.
    """
    controller_port, own_port, *node_ports = find_free_ports(2 + layout.nodes)
    accounting_port = _read_accounting_port(partner) if partner else own_port
    values = {
        "name": layout.name,
        "root": paths.root,
        "socket": paths.munge_socket,
        "host": get_host_name(),
        "address": resolve_host_address(),
        "user": get_user_name(),
        "controller_port": controller_port,
        "accounting_port": accounting_port,
    }
    etc = paths.conf.parent
    for folder in (paths.root, etc, *(paths.root / name for name in ("run", "log", "state"))):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # regardless of the umask: munge requires exactly this mode
    for node in layout.node_names:
        (paths.root / "spool" / node).mkdir(parents=True)
    key = partner.conf.with_name("munge.key").read_bytes() if partner else secrets.token_bytes(1024)
    _write_private(etc / "munge.key", key)
    paths.conf.write_text(_format_slurm_conf(layout, values, node_ports=node_ports))
    (etc / "gres.conf").write_text(GRES + _create_gpus(paths, layout))
    if layout.memory_limits:
        (etc / "cgroup.conf").write_text(CGROUP)
    if layout.accounting and partner is None:
        _write_private(etc / "slurmdbd.conf", _fill_template("slurmdbd.conf", values).encode())


def _read_accounting_port(paths: ClusterPaths) -> int:
    """Read the port of a cluster's accounting daemon."""
    settings = dict(line.split("=", 1) for line in paths.conf.read_text().splitlines() if "=" in line)
    return int(settings["AccountingStoragePort"])


def find_free_ports(count: int) -> list[int]:
    """Find consecutive ports on which no process listens.

    The ports are below the range that the system assigns to outgoing connections, so that none is taken before the
    daemons start.

    Raises:
        OSError: No such ports were found.
    """
    highest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]) - count
    for _ in range(100):
        first = random.SystemRandom().randrange(_LOWEST_PORT, max(highest, _LOWEST_PORT + 1))
        ports = list(range(first, first + count))
        if _are_free(ports):
            return ports
    raise OSError(f"no {count} consecutive ports between {_LOWEST_PORT} and {highest} are free")


def get_host_name() -> str:
    """Return the name of this host without its domain."""
    return socket.gethostname().partition(".")[0]


def resolve_host_address() -> str:
    """Return the address of this host's name; daemons that do not listen on all interfaces listen on it.

    Raises:
        OSError: The name has no address.
    """
    addresses = socket.getaddrinfo(socket.gethostname(), None, family=socket.AF_INET)
    return str(addresses[0][4][0])


def get_user_name() -> str:
    """Return the name of the user who runs this process.

    Raises:
        KeyError: The user has no name.
    """
    return pwd.getpwuid(os.geteuid()).pw_name


def _format_slurm_conf(layout: ClusterLayout, values: dict[str, object], *, node_ports: list[int]) -> str:
    node = f"CPUs={layout.cpus} RealMemory={layout.memory_mb} Gres=gpu:{layout.gpus} State=UNKNOWN"
    address = f"NodeHostname={values['host']} NodeAddr={values['address']}"
    ports = zip(layout.node_names, node_ports, strict=True)
    nodes = [f"NodeName={name} {address} Port={port} {node}" for name, port in ports]
    return _fill_template(
        "slurm.conf",
        values
        | {
            "task_plugin": "task/cgroup" if layout.memory_limits else "task/none",
            "first_job_id": random.SystemRandom().randrange(1000, 100_000),
            "max_array_size": layout.max_array_size,
            "accounting": _format_accounting(layout, values),
            "nodes": "\n".join(nodes),
        },
    )


def _format_accounting(layout: ClusterLayout, values: dict[str, object]) -> str:
    if not layout.accounting:
        return "AccountingStorageType=accounting_storage/none\nJobAcctGatherType=jobacct_gather/none"
    settings = {
        "AccountingStorageType": "accounting_storage/slurmdbd",
        "AccountingStorageHost": values["address"],
        "AccountingStoragePort": values["accounting_port"],
        "AccountingStoragePass": values["socket"],  # AuthInfo does not reach this one connection
        "AccountingStorageTRES": "gres/gpu",
        "AccountingStorageEnforce": "associations,limits",
        "JobAcctGatherType": "jobacct_gather/linux",
        "JobAcctGatherFrequency": "task=5",
    }
    return "\n".join(f"{name}={value}" for name, value in settings.items())


def _create_gpus(paths: ClusterPaths, layout: ClusterLayout) -> str:
    """Create a node's GPU files and return their gres.conf line.

    The files must be devices, as SLURM does not set CUDA_VISIBLE_DEVICES for others.
    """
    files = [paths.conf.with_name(f"gpu{index}") for index in range(layout.gpus)]
    for file in files:
        file.symlink_to("/dev/null")
    return f"Name=gpu File={','.join(map(str, files))}\n" if files else ""


def _fill_template(name: str, values: dict[str, object]) -> str:
    return Template((Path(__file__).parent / f"{name}.template").read_text()).substitute(values)


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _are_free(ports: list[int]) -> bool:
    with ExitStack() as stack:
        for port in ports:
            listener = stack.enter_context(socket.socket())
            try:
                listener.bind(("", port))
            except OSError:
                return False
    return True
