"""What the daemons read: slurm.conf and its companions, written below a cluster's directory."""

from __future__ import annotations

import os
import pwd
import random
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path
from string import Template

from slurm.testing.cluster.layout import Layout, Place

GRES = "AutoDetect=off\n"
CGROUP = """CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainRAMSpace=yes
"""
MEMORY_CGROUP = Path("/sys/fs/cgroup/memory")
"""Where the first version of cgroups limits memory."""

_LOWEST_PORT = 10000


def write(place: Place, layout: Layout) -> None:
    """Write the configuration of a cluster; its ports are free now, its job ids begin at random."""
    controller_port, accounting_port, *node_ports = free_ports(2 + layout.nodes)
    values = {
        "root": place.root,
        "socket": place.munge_socket,
        "host": host_name(),
        "address": host_address(),
        "user": user_name(),
        "controller_port": controller_port,
        "accounting_port": accounting_port,
    }
    etc = place.conf.parent
    for folder in (place.root, etc, *(place.root / name for name in ("run", "log", "state"))):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # whatever the umask: munge wants no less and no more
    for node in layout.node_names:
        (place.root / "spool" / node).mkdir(parents=True)
    _write_private(etc / "munge.key", secrets.token_bytes(1024))
    place.conf.write_text(_slurm_conf(layout, values, node_ports=node_ports))
    (etc / "gres.conf").write_text(GRES + _gpus(place, layout))
    if layout.memory_limits:
        (etc / "cgroup.conf").write_text(CGROUP)
    if layout.accounting:
        _write_private(etc / "slurmdbd.conf", _filled("slurmdbd.conf", values).encode())


def free_ports(count: int) -> list[int]:
    """Neighbouring ports of the loopback that nobody listens on.

    From below those that the system gives to outgoing connections, so that none is taken before the daemons start.
    """
    highest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]) - count
    for _ in range(100):
        first = random.SystemRandom().randrange(_LOWEST_PORT, max(highest, _LOWEST_PORT + 1))
        ports = list(range(first, first + count))
        if _are_free(ports):
            return ports
    raise OSError(f"no {count} neighbouring ports between {_LOWEST_PORT} and {highest} are free")


def host_name() -> str:
    return socket.gethostname().partition(".")[0]


def host_address() -> str:
    """What this host's name stands for: daemons that do not listen everywhere listen there.

    Raises:
        OSError: the name stands for nothing.
    """
    found = socket.getaddrinfo(socket.gethostname(), None, family=socket.AF_INET)
    return str(found[0][4][0])


def user_name() -> str:
    """The name of the user who runs this process. Raises KeyError where the user has none."""
    return pwd.getpwuid(os.geteuid()).pw_name


def _slurm_conf(layout: Layout, values: dict[str, object], *, node_ports: list[int]) -> str:
    node = f"CPUs={layout.cpus} RealMemory={layout.memory_mb} Gres=gpu:{layout.gpus} State=UNKNOWN"
    where = f"NodeHostname={values['host']} NodeAddr={values['address']}"
    nodes = [
        f"NodeName={name} {where} Port={port} {node}" for name, port in zip(layout.node_names, node_ports, strict=True)
    ]
    return _filled(
        "slurm.conf",
        values
        | {
            "task_plugin": "task/cgroup" if layout.memory_limits else "task/none",
            "first_job_id": random.SystemRandom().randrange(1000, 100_000),
            "max_array_size": layout.max_array_size,
            "accounting": _accounting(layout, values),
            "nodes": "\n".join(nodes),
        },
    )


def _accounting(layout: Layout, values: dict[str, object]) -> str:
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


def _gpus(place: Place, layout: Layout) -> str:
    """A line on the files that stand for a node's GPUs: devices, or SLURM sets no CUDA_VISIBLE_DEVICES."""
    files = [place.conf.with_name(f"gpu{index}") for index in range(layout.gpus)]
    for file in files:
        file.symlink_to("/dev/null")
    return f"Name=gpu File={','.join(map(str, files))}\n" if files else ""


def _filled(name: str, values: dict[str, object]) -> str:
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
