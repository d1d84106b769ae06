"""Programs of SLURM, munge and MariaDB: checks that they are installed, and calls of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

from slurm.testing.cluster import config
from slurm.testing.cluster.layout import ClusterLayout, ClusterPaths

PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
"""Search path for programs; Debian installs daemons in folders that are not on an ordinary user's PATH."""

_PROGRAMS = ("munged", "munge", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo", "scancel", "scontrol")
_ACCOUNTING_PROGRAMS = ("slurmdbd", "sacct", "sacctmgr", "mariadbd", "mariadb-admin", "mariadb-install-db", "setsid")
_PACKAGES = "slurm-wlm slurmdbd munge mariadb-server"


class ClusterError(RuntimeError):
    """Failure of a cluster; the message gives the reason and the end of the relevant log."""


def find_missing_programs(*, accounting: bool = True) -> list[str]:
    """Return the programs that a cluster needs and this machine lacks."""
    needed = _PROGRAMS + (_ACCOUNTING_PROGRAMS if accounting else ())
    return [program for program in needed if shutil.which(program, path=PATH) is None]


def find_obstacle(layout: ClusterLayout) -> str:
    """Return in one line why a cluster cannot run on this machine and what to do; empty if it can run."""
    if missing := find_missing_programs(accounting=layout.accounting):
        return f"this machine lacks {', '.join(missing)}; on Debian: apt install --no-install-recommends {_PACKAGES}"
    try:
        config.resolve_host_address()
    except OSError:
        name = socket.gethostname()
        return f"the host name {name} has no address; add the line `127.0.0.1 {name}` to /etc/hosts"
    if layout.memory_limits and not (os.geteuid() == 0 and config.MEMORY_CGROUP.is_dir()):
        return f"memory limits require root and cgroup v1 in {config.MEMORY_CGROUP}"
    return ""


def call(paths: ClusterPaths, *command: str, timeout_s: float = 30) -> str:
    """Run a command against a cluster and return its output.

    Args:
        paths: Paths of the cluster.
        command: Program and arguments.
        timeout_s: Seconds after which the command is killed.

    Raises:
        ClusterError: The command failed or did not finish in time.
    """
    try:
        result = subprocess.run(
            [shutil.which(command[0], path=PATH) or command[0], *command[1:]],
            env=os.environ | paths.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{' '.join(command)} did not answer within {timeout_s:g} seconds") from error
    if result.returncode:
        output = result.stderr.strip() or result.stdout.strip()
        raise ClusterError(f"{' '.join(command)} exited with {result.returncode}: {output}")
    return result.stdout


def succeeds(paths: ClusterPaths, *command: str) -> bool:
    """Return whether a command succeeds within seconds."""
    try:
        call(paths, *command, timeout_s=5)
    except ClusterError:
        return False
    return True
