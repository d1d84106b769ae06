"""A real SLURM cluster on this host: its daemons and virtual nodes, and the ways in which they fail.

It needs the programs of SLURM, munge and, for accounting, MariaDB, but neither root nor a file outside its directory.
Several clusters run side by side.
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

from benchmark.utils.lock import Owner, this_process
from slurm.testing.cluster import config, daemons, processes, programs
from slurm.testing.cluster.layout import Layout, Place
from slurm.testing.cluster.programs import ClusterError

_PARENT = Path("/tmp")  # whatever TMPDIR says: sockets want a short path, and munge one that everybody may search
_PREFIX = "chimera-slurm-"
_STATE = "cluster.json"
_ROUNDS = 10


class Cluster:
    """Runs between `start` and `stop`, or inside `with`; commands find it with the variables of `environment`."""

    def __init__(
        self, layout: Layout | None = None, *, root: Path | None = None, keep_logs: Path | None = None
    ) -> None:
        """Describe a cluster; nothing happens before it starts.

        Args:
            layout: size and flavour; four nodes with accounting where None.
            root: the directory for all its files, which does not exist yet. With one of its own, where None, a cluster
                counts as abandoned when this process is gone.
            keep_logs: a folder for copies of its logs when it stops.
        """
        self.layout = layout or Layout()
        self.place = Place(root or _PARENT / f"{_PREFIX}{secrets.token_hex(4)}")
        self._owner = None if root else this_process()
        self._keep_logs = keep_logs

    @classmethod
    def at(cls, root: Path) -> Self:
        """The cluster that some process started in a directory. Raises FileNotFoundError where there is none."""
        return cls(Layout(**json.loads((root / _STATE).read_text())["layout"]), root=root)

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which commands find this cluster, to be added to the others."""
        return self.place.environment

    @property
    def is_up(self) -> bool:
        """Whether its controller runs."""
        return bool(daemons.running(self.place, "slurmctld"))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and wait until every node is idle.

        Raises:
            ClusterError: this machine lacks something, or a daemon did not do its part; nothing is left behind.
            FileExistsError: its directory is there already.
        """
        if reason := programs.obstacle(self.layout):
            raise ClusterError(reason)
        self.place.root.mkdir()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Cancel all jobs, end every process of this cluster and remove its directory."""
        place = self.place
        if len(daemons.running(place, "slurmctld", "munged")) == 2:
            with suppress(ClusterError):  # what cannot be cancelled is killed below
                self.cancel_jobs(timeout_s=10)
        for each in (map(_slurmd, self.layout.node_names), ["slurmctld"], ["slurmdbd"], ["mariadbd"]):
            daemons.stop(place, *each)
        _kill_all(self._of_jobs)
        daemons.stop(place, "munged")  # last: step daemons need it to report
        if self._keep_logs and place.log("").is_dir():
            shutil.copytree(place.log(""), self._keep_logs, dirs_exist_ok=True)
        _remove(place, self.layout)

    def call(self, *command: str, timeout_s: float = 30) -> str:
        """Run a command of SLURM's here; what it wrote. Raises ClusterError where it fails."""
        return programs.call(self.place, *command, timeout_s=timeout_s)

    def cancel_jobs(self, *, timeout_s: float = 20) -> None:
        """Cancel every job and wait until none is left."""
        self.call("scancel", "--full", "--user", config.user_name())
        if not processes.until(self._has_no_job, timeout_s=timeout_s):
            raise ClusterError(f"after {timeout_s:g} seconds there are jobs left:\n{self.call('squeue')}")

    def wait_idle(self, *, timeout_s: float = 30) -> None:
        """Wait until no job is left and every node is idle."""
        if not processes.until(self._is_idle, timeout_s=timeout_s):
            state = self.call("sinfo", "-N", "--long") + self.call("squeue")
            raise ClusterError(f"the cluster is not idle after {timeout_s:g} seconds:\n{state}")

    def repair(self) -> None:
        """Start what does not run, cancel every job and put every node into service."""
        place = self.place
        if not daemons.running(place, "munged"):
            daemons.start_munge(place)
        if self.layout.accounting and not daemons.running(place, "slurmdbd"):
            self.start_accounting()
        if not self.is_up:
            daemons.start_controller(place)
        for node in self.layout.node_names:
            if not daemons.running(place, _slurmd(node)):
                self.start_node(node)
        # a job that ended while the controller was away stays "completing" for most of a minute
        self.cancel_jobs(timeout_s=60)
        for node, state in self.node_states().items():
            if state.startswith(("down", "drain")):
                self.call("scontrol", "update", f"nodename={node}", "state=resume")
        self.wait_idle(timeout_s=60)

    def node_states(self) -> dict[str, str]:
        """What `sinfo` says of each node: idle, mixed, allocated, down*, ..."""
        lines = self.call("sinfo", "--noheader", "--Node", "--partition=main", "--format=%N %T").splitlines()
        return {node: state for node, state in map(str.split, lines)}

    def processes_of_job(self, job_id: int | str) -> list[int]:
        """Processes of a job, of all tasks of an array, or of one task such as "12_3"."""
        job, _, task = str(job_id).partition("_")
        kinds = [{"SLURM_JOB_ID": job}, {"SLURM_ARRAY_JOB_ID": job}]
        if task:
            kinds = [{"SLURM_ARRAY_JOB_ID": job, "SLURM_ARRAY_TASK_ID": task}]
        return sorted({pid for kind in kinds for pid in processes.carrying(self.environment | kind)})

    def kill_node(self, node: str) -> None:
        """End a node as a power cut would: its daemon, its steps and their processes."""
        self.kill_slurmd(node)
        _kill_all(lambda: [*self._stepds(node), *processes.carrying(self.environment | {"SLURMD_NODENAME": node})])

    def kill_slurmd(self, node: str) -> None:
        """Kill the daemon of a node alone: the controller loses the node, and its jobs run on."""
        daemons.kill(self.place, _slurmd(self._known(node)))

    def start_node(self, node: str, *, timeout_s: float = 30) -> None:
        """Start the daemon of a node again, and wait until the controller hears of it."""
        daemons.start_node(self.place, self._known(node))
        if not processes.until(lambda: self._responds(node), timeout_s=timeout_s):
            state = self.node_states()[node]
            raise ClusterError(f"node {node} is still {state} {timeout_s:g} seconds after its daemon was started")

    def restart_controller(self, *, down_s: float = 0) -> None:
        """Kill the controller, and start it again so many seconds later; what it learnt just before may be lost."""
        daemons.kill(self.place, "slurmctld")
        time.sleep(down_s)
        daemons.start_controller(self.place)

    def stop_accounting(self) -> None:
        """End slurmdbd: `sacct` fails, and what it ought to know waits in the controller."""
        daemons.stop(self.place, "slurmdbd")

    def start_accounting(self) -> None:
        """Start slurmdbd again."""
        daemons.start_accounting(self.place)

    def limit_jobs(self, count: int | None) -> None:
        """Let the user have so many jobs at a time, each task of an array one of them; any number where None."""
        limit = -1 if count is None else count
        who = ("where", f"name={config.user_name()}", "cluster=lab")
        self.call("sacctmgr", "-i", "modify", "user", *who, "set", f"MaxSubmitJobs={limit}")

    def _start(self) -> None:
        place, layout = self.place, self.layout
        owner = self._owner and self._owner.model_dump()
        (place.root / _STATE).write_text(json.dumps({"layout": asdict(layout), "owner": owner}))
        config.write(place, layout)
        daemons.start_munge(place)
        if layout.accounting:
            daemons.start_database(place)
            daemons.start_accounting(place)
            daemons.add_associations(place)
        daemons.start_controller(place)
        for node in layout.node_names:
            daemons.start_node(place, node)
        self.wait_idle()

    def _has_no_job(self) -> bool:
        return not self.call("squeue", "--noheader").strip()

    def _is_idle(self) -> bool:
        return set(self.node_states().values()) == {"idle"} and self._has_no_job()

    def _responds(self, node: str) -> bool:
        return not self.node_states()[node].startswith(("down", "unk")) and "*" not in self.node_states()[node]

    def _known(self, node: str) -> str:
        if node not in self.layout.node_names:
            raise ValueError(f"no node {node!r}; there are: {', '.join(self.layout.node_names)}")
        return node

    def _stepds(self, node: str) -> list[int]:
        """Step daemons, whose titles lie where their variables were; they write into the log of their node."""
        return processes.holding(self.place.log(f"{_slurmd(node)}.log"), program="slurmstepd")

    def _of_jobs(self) -> list[int]:
        """Step daemons and processes of jobs; not a shell that merely points at this cluster."""
        ours = processes.carrying(self.environment)
        jobs = [pid for pid in ours if "SLURM_JOB_ID" in processes.variables(pid)]
        return [*jobs, *(pid for node in self.layout.node_names for pid in self._stepds(node))]


def stop_abandoned() -> None:
    """Stop the user's clusters that outlived their processes, which were killed before they could do it."""
    for root in _PARENT.glob(f"{_PREFIX}*"):
        if _is_abandoned(root):
            Cluster.at(root).stop()


def _is_abandoned(root: Path) -> bool:
    try:
        owner = json.loads((root / _STATE).read_text())["owner"] if root.stat().st_uid == os.geteuid() else None
    except (OSError, ValueError):
        return False  # it begins or ends at this step_context
    return owner is not None and Owner(**owner).is_here and not Owner(**owner).is_alive


def _slurmd(node: str) -> str:
    return f"slurmd-{node}"


def _kill_all(find: Callable[[], list[int]]) -> None:
    """Kill processes until no more are found: some start others meanwhile."""
    for _ in range(_ROUNDS):
        if not (found := find()):
            return
        processes.kill(found)


def _remove(place: Place, layout: Layout) -> None:
    if place.database.is_symlink():
        shutil.rmtree(place.database.resolve(), ignore_errors=True)
    shutil.rmtree(place.root, ignore_errors=True)
    for node in layout.node_names if layout.memory_limits else ():
        _remove_cgroup(config.MEMORY_CGROUP / f"slurm_{node}")


def _remove_cgroup(folder: Path) -> None:
    """Remove a group and those within; what another cluster uses at the step_context stays."""
    for inner, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(inner)
