"""Real SLURM cluster on this host: its daemons and virtual nodes, and operations that make them fail.

A cluster needs the programs of SLURM, munge and, for accounting, MariaDB. It needs neither root nor files outside its
directory. Several clusters can run at the same time.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmark.utils.lock import Owner, identify_this_process
from slurm.testing.cluster import config, daemons, processes, programs
from slurm.testing.cluster.layout import ClusterLayout, ClusterPaths
from slurm.testing.cluster.programs import ClusterError

_PARENT = Path(
    "/tmp"
)  # regardless of TMPDIR: sockets need a short path, and munge requires one that all users may search
_PREFIX = "chimera-slurm-"
_STATE_FILE = "cluster.json"
_KILL_ROUNDS = 10


class Cluster:
    """SLURM cluster that runs between `start` and `stop`, or inside `with`.

    Commands find the cluster through the variables of `environment`.

    Args:
        layout: Size and features; four nodes with accounting if None.
        root: Directory for all files of the cluster, which must not exist yet. A new one if None; the cluster then
            counts as abandoned as soon as this process is gone.
        keep_logs: Folder for copies of the logs when the cluster stops; None keeps no logs.
        partner: Running cluster of another name whose accounting it shares, so that commands for one cluster reach the
            other one with --clusters; None for a cluster of its own.
    """

    def __init__(
        self,
        layout: ClusterLayout | None = None,
        *,
        root: Path | None = None,
        keep_logs: Path | None = None,
        partner: Cluster | None = None,
    ) -> None:
        self.layout = layout or ClusterLayout()
        self.paths = ClusterPaths(root or _PARENT / f"{_PREFIX}{secrets.token_hex(4)}")
        self._owner = None if root else identify_this_process()
        self._keep_logs = keep_logs
        self._partner = partner

    @classmethod
    def attach(cls, root: Path) -> Self:
        """Return the cluster that another process started in a directory.

        Raises:
            FileNotFoundError: The directory has no cluster.
        """
        return cls(ClusterLayout(**json.loads((root / _STATE_FILE).read_text())["layout"]), root=root)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which commands find this cluster."""
        return self.paths.environment

    @property
    def is_running(self) -> bool:
        """Whether the controller runs."""
        return bool(daemons.find_pids(self.paths, "slurmctld"))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start all daemons and wait until every node is idle.

        Raises:
            ClusterError: This machine lacks a requirement or a daemon failed; processes and files are removed.
            FileExistsError: The directory exists already.
        """
        if reason := programs.find_obstacle(self.layout):
            raise ClusterError(reason)
        self.paths.root.mkdir()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Cancel all jobs, terminate all processes of this cluster and remove its directory."""
        paths = self.paths
        if len(daemons.find_pids(paths, "slurmctld", "munged")) == 2:
            with suppress(ClusterError):  # jobs that cannot be canceled are killed below
                self.cancel_jobs(timeout_s=10)
        for names in (map(_name_slurmd, self.layout.node_names), ["slurmctld"], ["slurmdbd"], ["mariadbd"]):
            daemons.stop(paths, *names)
        _kill_all(self._find_all_job_processes)
        daemons.stop(paths, "munged")  # last: step daemons need it to report
        if self._keep_logs and paths.log("").is_dir():
            shutil.copytree(paths.log(""), self._keep_logs, dirs_exist_ok=True)
        _remove(paths, self.layout)

    def call(self, *command: str, timeout_s: float = 30) -> str:
        """Run a SLURM command on this cluster and return its output.

        Raises:
            ClusterError: The command failed or did not finish in time.
        """
        return programs.call(self.paths, *command, timeout_s=timeout_s)

    def cancel_jobs(self, *, timeout_s: float = 20) -> None:
        """Cancel all jobs and wait until they are gone."""
        self.call("scancel", "--full", "--user", config.get_user_name())
        if not processes.wait_until(self._has_no_jobs, timeout_s=timeout_s):
            raise ClusterError(f"jobs are left after {timeout_s:g} seconds:\n{self.call('squeue')}")

    def wait_idle(self, *, timeout_s: float = 30) -> None:
        """Wait until all jobs are gone and every node is idle."""
        if not processes.wait_until(self._is_idle, timeout_s=timeout_s):
            state = self.call("sinfo", "-N", "--long") + self.call("squeue")
            raise ClusterError(f"the cluster is not idle after {timeout_s:g} seconds:\n{state}")

    def repair(self) -> None:
        """Start daemons that do not run, cancel all jobs and resume all nodes."""
        paths = self.paths
        if not daemons.find_pids(paths, "munged"):
            daemons.start_munge(paths)
        if self.layout.accounting and not daemons.find_pids(paths, "slurmdbd"):
            self.start_accounting()
        if not self.is_running:
            daemons.start_controller(paths)
        for node in self.layout.node_names:
            if not daemons.find_pids(paths, _name_slurmd(node)):
                self.start_node(node)
        # a job that ends while the controller is down stays "completing" for most of a minute
        self.cancel_jobs(timeout_s=60)
        for node, state in self.read_node_states().items():
            if state.startswith(("down", "drain")):
                self.call("scontrol", "update", f"nodename={node}", "state=resume")
        self.wait_idle(timeout_s=60)

    def read_node_states(self) -> dict[str, str]:
        """Return the state of each node as `sinfo` prints it: idle, mixed, allocated, down*, ..."""
        lines = self.call("sinfo", "--noheader", "--Node", "--partition=main", "--format=%N %T").splitlines()
        return {node: state for node, state in map(str.split, lines)}

    def find_job_processes(self, job_id: int | str) -> list[int]:
        """Return the processes of a job, of all tasks of an array, or of one task such as "12_3"."""
        job, _, task = str(job_id).partition("_")
        kinds = [{"SLURM_JOB_ID": job}, {"SLURM_ARRAY_JOB_ID": job}]
        if task:
            kinds = [{"SLURM_ARRAY_JOB_ID": job, "SLURM_ARRAY_TASK_ID": task}]
        return sorted({pid for kind in kinds for pid in processes.find_by_environment(self.environment | kind)})

    def kill_node(self, node: str) -> None:
        """Kill a node as a power cut would: its daemon, its steps and their processes."""
        self.kill_slurmd(node)
        environment = self.environment | {"SLURMD_NODENAME": node}
        _kill_all(lambda: [*self._find_step_daemons(node), *processes.find_by_environment(environment)])

    def kill_slurmd(self, node: str) -> None:
        """Kill the daemon of a node only: the controller loses the node, the jobs continue."""
        daemons.kill(self.paths, _name_slurmd(self._check_node(node)))

    def start_node(self, node: str, *, timeout_s: float = 30) -> None:
        """Start the daemon of a node again and wait until the controller knows."""
        daemons.start_node(self.paths, self._check_node(node))
        if not processes.wait_until(lambda: self._responds(node), timeout_s=timeout_s):
            state = self.read_node_states()[node]
            raise ClusterError(f"node {node} is still {state} {timeout_s:g} seconds after its daemon was started")

    def restart_controller(self, *, down_s: float = 0) -> None:
        """Kill the controller and start it again; it may have lost its most recent state.

        Args:
            down_s: Seconds between kill and start.
        """
        daemons.kill(self.paths, "slurmctld")
        time.sleep(down_s)
        daemons.start_controller(self.paths)

    def stop_accounting(self) -> None:
        """Stop slurmdbd: `sacct` fails, and the controller queues the messages for slurmdbd."""
        daemons.stop(self.paths, "slurmdbd")

    def start_accounting(self) -> None:
        """Start slurmdbd again."""
        daemons.start_accounting(self.paths)

    def limit_jobs(self, count: int | None) -> None:
        """Limit the jobs of the user; each task of an array counts as one.

        Args:
            count: Largest number of jobs at a time; None removes the limit.
        """
        limit = -1 if count is None else count
        user = ("where", f"name={config.get_user_name()}", "cluster=lab")
        self.call("sacctmgr", "-i", "modify", "user", *user, "set", f"MaxSubmitJobs={limit}")

    def _start(self) -> None:
        paths, layout = self.paths, self.layout
        owner = self._owner and self._owner.model_dump()
        (paths.root / _STATE_FILE).write_text(json.dumps({"layout": asdict(layout), "owner": owner}))
        config.write_config(paths, layout, partner=self._partner.paths if self._partner else None)
        daemons.start_munge(paths)
        if layout.accounting and self._partner is None:
            daemons.start_database(paths)
            daemons.start_accounting(paths)
        if layout.accounting:
            daemons.add_associations(paths, cluster=layout.name)
        daemons.start_controller(paths)
        for node in layout.node_names:
            daemons.start_node(paths, node)
        self.wait_idle()

    def _has_no_jobs(self) -> bool:
        return not self.call("squeue", "--noheader").strip()

    def _is_idle(self) -> bool:
        return set(self.read_node_states().values()) == {"idle"} and self._has_no_jobs()

    def _responds(self, node: str) -> bool:
        return (
            not self.read_node_states()[node].startswith(("down", "unk")) and "*" not in self.read_node_states()[node]
        )

    def _check_node(self, node: str) -> str:
        if node not in self.layout.node_names:
            raise ValueError(f"no node {node!r}; expected one of {', '.join(self.layout.node_names)}")
        return node

    def _find_step_daemons(self, node: str) -> list[int]:
        """Return the step daemons of a node by their open log; their titles overwrite their environment."""
        return processes.find_by_open_file(self.paths.log(f"{_name_slurmd(node)}.log"), program="slurmstepd")

    def _find_all_job_processes(self) -> list[int]:
        """Return step daemons and processes of jobs, without shells that merely use this cluster."""
        pids = processes.find_by_environment(self.environment)
        jobs = [pid for pid in pids if "SLURM_JOB_ID" in processes.read_environment(pid)]
        return [*jobs, *(pid for node in self.layout.node_names for pid in self._find_step_daemons(node))]


def stop_abandoned_clusters() -> None:
    """Stop the user's clusters whose starting process was killed before it stopped them."""
    for root in _PARENT.glob(f"{_PREFIX}*"):
        if _is_abandoned(root):
            Cluster.attach(root).stop()


def _is_abandoned(root: Path) -> bool:
    try:
        owner = json.loads((root / _STATE_FILE).read_text())["owner"] if root.stat().st_uid == os.geteuid() else None
    except (OSError, ValueError):
        return False  # the cluster is being started or stopped
    return owner is not None and Owner(**owner).is_here and not Owner(**owner).is_alive


def _name_slurmd(node: str) -> str:
    return f"slurmd-{node}"


def _kill_all(find: Callable[[], list[int]]) -> None:
    """Kill processes until none are found; some start others in the meantime."""
    for _ in range(_KILL_ROUNDS):
        if not (pids := find()):
            return
        processes.kill(pids)


def _remove(paths: ClusterPaths, layout: ClusterLayout) -> None:
    if paths.database.is_symlink():
        shutil.rmtree(paths.database.resolve(), ignore_errors=True)
    shutil.rmtree(paths.root, ignore_errors=True)
    for node in layout.node_names if layout.memory_limits else ():
        _remove_cgroup(config.MEMORY_CGROUP / f"slurm_{node}")


def _remove_cgroup(folder: Path) -> None:
    """Remove a cgroup and its children, except those that another cluster is using."""
    for inner, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(inner)
