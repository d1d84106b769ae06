"""Size and file paths of a test cluster, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ClusterLayout:
    """Size and features of a cluster; the host does not need to have these resources.

    Attributes:
        nodes: Number of virtual nodes, named n1, n2, ...
        cpus: Processors that each node declares.
        memory_mb: Memory that each node declares.
        gpus: GPUs that each node declares; their device files are links to /dev/null.
        accounting: Whether slurmdbd and MariaDB run; without them `sacct` fails and a start takes a tenth of the time.
        memory_limits: Whether jobs over their memory are killed (OUT_OF_MEMORY); requires root and cgroup v1.
        max_array_size: Largest index of a job array plus one.
        name: Name of the cluster.
    """

    nodes: int = 4
    cpus: int = 4
    memory_mb: int = 4000
    gpus: int = 2
    accounting: bool = True
    memory_limits: bool = False
    max_array_size: int = 1001
    name: str = "lab"

    def __post_init__(self) -> None:
        if min(self.nodes, self.cpus) < 1 or self.gpus < 0:
            raise ValueError(f"expected at least one node with at least one processor, got {self}")

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names of all nodes."""
        return tuple(f"n{index + 1}" for index in range(self.nodes))


@dataclass(frozen=True)
class ClusterPaths:
    """Paths of a cluster's files, all below one directory.

    Attributes:
        root: Directory with a short path that all users may search; munge requires both.
    """

    root: Path

    @property
    def conf(self) -> Path:
        """Configuration file of SLURM."""
        return self.root / "etc" / "slurm.conf"

    @property
    def munge_socket(self) -> Path:
        """Socket of munged."""
        return self.root / "run" / "munge.sock"

    @property
    def database(self) -> Path:
        """Directory of the database: a link into memory if there is room, as every commit is flushed."""
        return self.root / "db"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which SLURM's commands find this cluster."""
        return {"SLURM_CONF": str(self.conf)}

    def log(self, name: str) -> Path:
        """Return the path of a log file, or the folder of all logs if the name is empty."""
        return self.root / "log" / name

    def pid_file(self, daemon: str) -> Path:
        """Return the path of the file that holds a daemon's process id."""
        return self.root / "run" / f"{daemon}.pid"
