"""Targets of faults: a cluster that runs a study, with its current jobs, processes and nodes."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmark.store.store import Store
from benchmark.utils.lock import find_owner
from slurm.testing.chaos.command_runner import CommandRunner
from slurm.testing.cluster import daemons, processes
from slurm.testing.cluster.cluster import Cluster

T = TypeVar("T")

MAX_NODES_DOWN = 2
"""Largest number of nodes that are down at a time."""


class NoTargetError(Exception):
    """A fault has currently no target."""


@dataclass(frozen=True)
class ArrayTask:
    """Running task of a job array.

    Attributes:
        id: Id as SLURM prints it, such as 12_3.
        node: Name of the node.
    """

    id: str
    node: str


@dataclass
class ClusterTargets:
    """Cluster that runs a study, with the targets that faults may hit.

    Methods that choose a target raise NoTargetError if there is none.

    Attributes:
        cluster: Cluster that runs the study.
        runner: Runner of commands on the store of the study.
        study: File of the study.
        profile: File of the cluster profile that the study is submitted with.
        rng: Random generator that chooses targets.
        restart_times_s: Time on the monotonic clock at which a killed node is to be restarted, by node name.
    """

    cluster: Cluster
    runner: CommandRunner
    study: Path
    profile: Path
    rng: random.Random
    restart_times_s: dict[str, float] = field(default_factory=dict)

    @property
    def submit_command(self) -> tuple[str, ...]:
        """Arguments of the command that submits unfinished runs."""
        return ("submit", str(self.study), "--cluster", str(self.profile))

    def choose_task(self) -> ArrayTask:
        """Choose a running array task of the study."""
        lines = self.cluster.call("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i %N %j")
        jobs = [line.split() for line in lines.splitlines()]
        return self._choose([ArrayTask(job, node) for job, node, name in jobs if name.startswith("cb-")])

    def choose_run_process(self) -> int:
        """Choose a process that works on a run, found by the run's lock as the process may have been forked."""
        store = Store(self.runner.store)
        owners = [find_owner(store.run(run_id).path) for run_id in store.list_ids()]
        return self._choose([process.pid for process in owners if process is not None and self._is_in_job(process.pid)])

    def choose_job_process(self) -> int:
        """Choose a process that a job started to work on its runs."""
        pids = processes.find_by_environment(self.cluster.environment)
        return self._choose([pid for pid in pids if self._is_in_job(pid) and _is_python(pid, module="slurm.job")])

    def choose_fork_server(self) -> int:
        """Choose a process that forks the processes of a job's runs; those have the same command line."""
        pids = [pid for pid in processes.find_by_environment(self.cluster.environment) if self._is_in_job(pid)]
        forked = [pid for pid in pids if any("forkserver" in argument for argument in _read_command_line(pid))]
        return self._choose([pid for pid in forked if _read_parent(pid) not in forked])

    def choose_busy_node(self) -> str:
        """Choose the node of a running task, to be taken down; there is no target if enough nodes are down."""
        if len(self.restart_times_s) >= MAX_NODES_DOWN:
            raise NoTargetError(f"{', '.join(self.restart_times_s)} are down")
        return self.choose_task().node

    def schedule_restart(self, node: str, *, after_s: tuple[float, float]) -> None:
        """Have a node restarted after a random delay.

        Args:
            node: Name of the node.
            after_s: Bounds of the delay in seconds.
        """
        self.restart_times_s[node] = time.monotonic() + self.rng.uniform(*after_s)

    def repair(self) -> Iterator[str]:
        """Do the work of an administrator and yield the name of each repair.

        Raises:
            ClusterError: A repair is currently not possible.
        """
        for node, state in self.cluster.read_node_states().items():
            if time.monotonic() < self.restart_times_s.get(node, 0.0):
                continue
            if node in self.restart_times_s:
                if not daemons.find_pids(self.cluster.paths, f"slurmd-{node}"):
                    self.cluster.start_node(node)
                del self.restart_times_s[node]
                yield "node restarted"
            elif state.startswith(("down", "drain")):
                self.cluster.call("scontrol", "update", f"nodename={node}", "state=resume")
                yield "node resumed"
        for line in self.cluster.call("squeue", "--noheader", "--array", "--format=%i %r").splitlines():
            job, _, reason = line.partition(" ")
            if "held" in reason.lower():
                self.cluster.call("scontrol", "release", job)
                yield "held job released"

    def _is_in_job(self, pid: int) -> bool:
        """Return whether a process belongs to a job of this cluster and not to a command of the user."""
        variables = processes.read_environment(pid)
        return self.cluster.environment.items() <= variables.items() and "SLURM_JOB_ID" in variables

    def _choose(self, candidates: list[T]) -> T:
        if not candidates:
            raise NoTargetError("nothing of the study is running")
        return self.rng.choice(candidates)


def _is_python(pid: int, *, module: str) -> bool:
    """Return whether a process is Python running a module; srun has the same arguments."""
    return processes.read_program_name(pid).startswith("python") and module in _read_command_line(pid)


def _read_command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _read_parent(pid: int) -> int:
    """Return the parent of a process; 0 if the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()[1])
    except OSError:
        return 0
