"""Programs of SLURM, munge and MariaDB: whether this machine has them, and what they answer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

from slurm.testing.cluster import config
from slurm.testing.cluster.layout import Layout, Place

PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
"""Debian keeps daemons where an ordinary user's shell does not look."""

_PROGRAMS = ("munged", "munge", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo", "scancel", "scontrol")
_OF_ACCOUNTING = ("slurmdbd", "sacct", "sacctmgr", "mariadbd", "mariadb-admin", "mariadb-install-db", "setsid")
_PACKAGES = "slurm-wlm slurmdbd munge mariadb-server"


class ClusterError(RuntimeError):
    """A cluster cannot do what it was asked; the message says why, and shows the end of the log that knows more."""


def missing_programs(*, accounting: bool = True) -> list[str]:
    """Programs that a cluster needs and this machine lacks."""
    needed = _PROGRAMS + (_OF_ACCOUNTING if accounting else ())
    return [program for program in needed if shutil.which(program, path=PATH) is None]


def obstacle(layout: Layout) -> str:
    """Why a cluster cannot run on this machine, in one line that says what to do; empty where it can."""
    if missing := missing_programs(accounting=layout.accounting):
        return f"this machine lacks {', '.join(missing)}; on Debian: apt install --no-install-recommends {_PACKAGES}"
    try:
        config.host_address()
    except OSError:
        name = socket.gethostname()
        return f"this machine's name, {name}, stands for no address; add the line `127.0.0.1 {name}` to /etc/hosts"
    if layout.memory_limits and not (os.geteuid() == 0 and config.MEMORY_CGROUP.is_dir()):
        return f"limits of memory need root, and the first version of cgroups in {config.MEMORY_CGROUP}"
    return ""


def call(place: Place, *command: str, timeout_s: float = 30) -> str:
    """Run a command against a cluster.

    Returns:
        What it wrote.

    Raises:
        ClusterError: it failed, or did not answer in time.
    """
    try:
        done = subprocess.run(
            [shutil.which(command[0], path=PATH) or command[0], *command[1:]],
            env=os.environ | place.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{' '.join(command)} did not answer within {timeout_s:g} seconds") from error
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        raise ClusterError(f"{' '.join(command)} ended with {done.returncode}: {said}")
    return done.stdout


def answers(place: Place, *command: str) -> bool:
    """Whether a command succeeds, within seconds."""
    try:
        call(place, *command, timeout_s=5)
    except ClusterError:
        return False
    return True
