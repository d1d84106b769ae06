"""What a cluster for tests is like, and where it lies: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The size and the flavour of a cluster; none of it needs to exist on this host.

    Attributes:
        nodes: virtual nodes n1, n2, ...
        cpus, memory_mb, gpus: of each node, as SLURM is told. The GPUs are links to /dev/null.
        accounting: with slurmdbd and MariaDB; without, `sacct` knows nothing and a start takes a tenth of the time.
        memory_limits: a job over its memory is killed, OUT_OF_MEMORY. Needs root and the first version of cgroups.
        max_array_size: the largest index of a job array, and one.
    """

    nodes: int = 4
    cpus: int = 4
    memory_mb: int = 4000
    gpus: int = 2
    accounting: bool = True
    memory_limits: bool = False
    max_array_size: int = 1001

    def __post_init__(self) -> None:
        if min(self.nodes, self.cpus) < 1 or self.gpus < 0:
            raise ValueError(f"a cluster has at least one node with one processor, given {self}")

    @property
    def node_names(self) -> tuple[str, ...]:
        return tuple(f"n{index + 1}" for index in range(self.nodes))


@dataclass(frozen=True)
class Place:
    """The directory that holds all there is of a cluster.

    Its path is short and everybody may search it: munge asks for both.
    """

    root: Path

    @property
    def conf(self) -> Path:
        return self.root / "etc" / "slurm.conf"

    @property
    def munge_socket(self) -> Path:
        return self.root / "run" / "munge.sock"

    @property
    def database(self) -> Path:
        """The database's own directory: a link into memory, where that has room, as every commit is flushed."""
        return self.root / "db"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that SLURM's commands need to find this cluster."""
        return {"SLURM_CONF": str(self.conf)}

    def log(self, name: str) -> Path:
        return self.root / "log" / name

    def pid_file(self, daemon: str) -> Path:
        return self.root / "run" / f"{daemon}.pid"
