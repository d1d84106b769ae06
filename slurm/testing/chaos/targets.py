"""A cluster on which a study runs: what could be hit at present, and what is to be mended."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmark.store.store import Store
from benchmark.utils.lock import owner
from slurm.testing.chaos.command_runner import Desk
from slurm.testing.cluster import daemons, processes
from slurm.testing.cluster.cluster import Cluster

T = TypeVar("T")

NODES_AWAY = 2
"""So many nodes at most are away at a time."""


class NobodyThere(Exception):
    """Nothing runs at present that this could be done to."""


@dataclass(frozen=True)
class Element:
    """An element of one of our job arrays that runs: as SLURM numbers it, such as 12_3, and where."""

    id: str
    node: str


@dataclass
class Scene:
    """A cluster on which a study runs, and what of it is broken at present.

    Attributes:
        desk: where the study is submitted.
        study, profile: files that are given to `submit`.
        chance: decides what is hit.
        away: when a node is started again, by its name, on the monotonic clock.
    """

    cluster: Cluster
    desk: Desk
    study: Path
    profile: Path
    chance: random.Random
    away: dict[str, float] = field(default_factory=dict)

    @property
    def submitting(self) -> tuple[str, ...]:
        """The words of the command that sends what is open."""
        return ("submit", str(self.study), "--cluster", str(self.profile))

    def element(self) -> Element:
        """Any of our elements that run. Raises NobodyThere."""
        lines = self.cluster.call("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i %N %j")
        jobs = [line.split() for line in lines.splitlines()]
        return self._any([Element(job, node) for job, node, name in jobs if name.startswith("cb-")])

    def run_process(self) -> int:
        """Any process that works on a run; as locks say it, since it may have been forked. Raises NobodyThere."""
        store = Store(self.desk.store)
        owners = [owner(store.folder(run_id)) for run_id in store.ids()]
        return self._any([one.pid for one in owners if one is not None and self._is_ours(one.pid)])

    def job_process(self) -> int:
        """Any process that a job started for its runs. Raises NobodyThere."""
        pids = processes.carrying(self.cluster.environment)
        return self._any([pid for pid in pids if self._is_ours(pid) and _is_python(pid, module="slurm.job")])

    def server_process(self) -> int:
        """Any process from which those of a job's runs are forked; they have the same words. Raises NobodyThere."""
        pids = [pid for pid in processes.carrying(self.cluster.environment) if self._is_ours(pid)]
        forking = [pid for pid in pids if any("forkserver" in word for word in _words(pid))]
        return self._any([pid for pid in forking if _parent(pid) not in forking])

    def busy_node(self) -> str:
        """The node of any element, to be taken away. Raises NobodyThere, also where enough nodes are away."""
        if len(self.away) >= NODES_AWAY:
            raise NobodyThere(f"{', '.join(self.away)} are away")
        return self.element().node

    def leave(self, node: str, *, seconds: tuple[float, float]) -> None:
        """Have a node started again after a time between these."""
        self.away[node] = time.monotonic() + self.chance.uniform(*seconds)

    def mend(self) -> Iterator[str]:
        """Do what an administrator does, and say each time what it was.

        Raises:
            ClusterError: something cannot be done at present.
        """
        for node, state in self.cluster.node_states().items():
            if time.monotonic() < self.away.get(node, 0.0):
                continue
            if node in self.away:
                if not daemons.running(self.cluster.place, f"slurmd-{node}"):
                    self.cluster.start_node(node)
                del self.away[node]
                yield "node started again"
            elif state.startswith(("down", "drain")):
                self.cluster.call("scontrol", "update", f"nodename={node}", "state=resume")
                yield "node put back into service"
        for line in self.cluster.call("squeue", "--noheader", "--array", "--format=%i %r").splitlines():
            job, _, reason = line.partition(" ")
            if "held" in reason.lower():
                self.cluster.call("scontrol", "release", job)
                yield "held job released"

    def _is_ours(self, pid: int) -> bool:
        """Whether it belongs to a job of this cluster, and not to somebody at the desk."""
        found = processes.variables(pid)
        return self.cluster.environment.items() <= found.items() and "SLURM_JOB_ID" in found

    def _any(self, found: list[T]) -> T:
        if not found:
            raise NobodyThere("nothing of ours runs")
        return self.chance.choice(found)


def _is_python(pid: int, *, module: str) -> bool:
    """Whether Python is at work on a module; srun has the same words."""
    return processes.name(pid).startswith("python") and module in _words(pid)


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _parent(pid: int) -> int:
    """The process that started another one; 0 where that is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()[1])
    except OSError:
        return 0
