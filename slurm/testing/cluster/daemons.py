"""Daemons of a cluster: they outlive this process and are found again by their PID files."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmark.utils.atomic_files import read_last_lines
from slurm.testing.cluster import processes
from slurm.testing.cluster.config import get_user_name
from slurm.testing.cluster.layout import ClusterPaths
from slurm.testing.cluster.programs import PATH, ClusterError, call, succeeds

_DATABASE_BYTES = 300 * 2**20
_MEMORY_FOLDER = Path("/dev/shm")
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0


def start_munge(paths: ClusterPaths) -> None:
    """Start munged, the authentication daemon."""
    _start(
        paths,
        "munged",
        f"--key-file={paths.conf.with_name('munge.key')}",
        f"--socket={paths.munge_socket}",
        f"--pid-file={paths.pid_file('munged')}",
        f"--log-file={paths.log('munged.log')}",
        f"--seed-file={paths.root / 'run' / 'munged.seed'}",
    )
    _wait_for(paths, "munged", "munge", "-S", str(paths.munge_socket), "-n")


def start_database(paths: ClusterPaths) -> None:
    """Create an empty database and serve it through a socket in its private directory."""
    folder = Path(tempfile.mkdtemp(prefix=f"{paths.root.name}-", dir=_choose_database_parent(paths)))
    paths.database.symlink_to(folder)
    common = (f"--datadir={folder / 'data'}", f"--user={get_user_name()}", "--innodb-log-file-size=16M")
    install = ("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db")
    _start(paths, "mariadb-install-db", *install, *common)
    serve = (
        *("--no-defaults", "--skip-networking", "--skip-log-bin", "--performance-schema=OFF", "--max-connections=30"),
        *("--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900", "--innodb-flush-log-at-trx-commit=0"),
        f"--tmpdir={folder}",
        f"--socket={_database_socket(paths)}",
        f"--pid-file={paths.pid_file('mariadbd')}",
    )
    # setsid: mariadbd stays in the session that started it and would be interrupted together with it
    _start(paths, "setsid", "--fork", "mariadbd", *serve, *common)
    _wait_for(
        paths, "setsid", "mariadb-admin", "--no-defaults", "-u", "root", "-S", str(_database_socket(paths)), "ping"
    )


def start_accounting(paths: ClusterPaths) -> None:
    """Start slurmdbd, the daemon between SLURM and the database."""
    _start(paths, "slurmdbd")
    _wait_for(paths, "slurmdbd", "sacctmgr", "-n", "list", "cluster")


def add_associations(paths: ClusterPaths, *, cluster: str) -> None:
    """Register cluster, account and user with accounting; the controller reads them when it starts."""
    where = f"cluster={cluster}"
    user = f"user {get_user_name()} account=lab defaultaccount=lab {where}"
    for entity in (f"cluster {cluster}", f"account lab {where}", user):
        call(paths, "sacctmgr", "-i", "add", *entity.split())


def start_controller(paths: ClusterPaths) -> None:
    """Start slurmctld and wait until it answers."""
    _start(paths, "slurmctld")
    _wait_for(paths, "slurmctld", "scontrol", "ping")


def start_node(paths: ClusterPaths, node: str) -> None:
    """Start the slurmd of a node; it registers with the controller."""
    _start(paths, "slurmd", "-N", node)


def stop(paths: ClusterPaths, *daemons: str) -> None:
    """Terminate daemons simultaneously and wait until they are gone."""
    processes.terminate(find_pids(paths, *daemons), timeout_s=_STOP_TIMEOUT_S)


def kill(paths: ClusterPaths, *daemons: str) -> None:
    """Kill daemons as a crash would."""
    processes.kill(find_pids(paths, *daemons))


def find_pids(paths: ClusterPaths, *daemons: str) -> list[int]:
    """Return the process ids of those of the named daemons that run."""
    pids = [_read_pid(paths.pid_file(daemon)) for daemon in daemons]
    # the system may have reused the id for another process, which does not have our environment
    return [pid for pid in pids if pid and processes.has_environment(pid, paths.environment)]


def _start(paths: ClusterPaths, program: str, *arguments: str) -> None:
    """Run a program that forks into the background or exits soon."""
    environment = {"PATH": PATH, "LC_ALL": "C", "MYSQL_UNIX_PORT": str(_database_socket(paths)), **paths.environment}
    with paths.log(f"{program}.out").open("ab") as output:
        exit_code = subprocess.run(
            [shutil.which(program, path=PATH) or program, *arguments],
            env=environment,
            cwd=paths.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        ).returncode
    if exit_code:
        raise ClusterError(f"{program} exited with {exit_code}: {_read_last_log_lines(paths, program)}")


def _wait_for(paths: ClusterPaths, daemon: str, *probe: str) -> None:
    """Wait until a probe command of a daemon succeeds."""
    if not processes.wait_until(lambda: succeeds(paths, *probe), timeout_s=_START_TIMEOUT_S):
        raise ClusterError(
            f"{daemon} does not answer after {_START_TIMEOUT_S:g} seconds: {_read_last_log_lines(paths, daemon)}"
        )


def _read_last_log_lines(paths: ClusterPaths, program: str) -> str:
    """Return the last lines of a program's output and log; slurmd has one log per node."""
    logs = sorted(paths.log("").glob(f"{program}*"), key=os.path.getmtime)
    return "\n".join(read_last_lines(log, 5) for log in logs[-2:]).strip()


def _choose_database_parent(paths: ClusterPaths) -> Path:
    has_room = os.access(_MEMORY_FOLDER, os.W_OK) and shutil.disk_usage(_MEMORY_FOLDER).free >= _DATABASE_BYTES
    return _MEMORY_FOLDER if has_room else paths.root


def _database_socket(paths: ClusterPaths) -> Path:
    return paths.database / "my.sock"


def _read_pid(file: Path) -> int:
    """Return the process id in a PID file; 0 if the file is missing or empty."""
    try:
        return int(file.read_text())
    except (FileNotFoundError, ValueError):
        return 0
