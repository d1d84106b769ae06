"""The daemons of a cluster: each outlives this process, and is found again by the file that holds its number."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmark.utils.atomic_files import last_lines
from slurm.testing.cluster import processes
from slurm.testing.cluster.config import user_name
from slurm.testing.cluster.layout import Place
from slurm.testing.cluster.programs import PATH, ClusterError, answers, call

_ROOM_BYTES = 300 * 2**20
_MEMORY = Path("/dev/shm")
_START_S = 30.0
_STOP_S = 20.0


def start_munge(place: Place) -> None:
    """Start the daemon that vouches for who sent what."""
    _start(
        place,
        "munged",
        f"--key-file={place.conf.with_name('munge.key')}",
        f"--socket={place.munge_socket}",
        f"--pid-file={place.pid_file('munged')}",
        f"--log-file={place.log('munged.log')}",
        f"--seed-file={place.root / 'run' / 'munged.seed'}",
    )
    _await(place, "munged", "munge", "-S", str(place.munge_socket), "-n")


def start_database(place: Place) -> None:
    """Create an empty database and serve it to those only who may enter its directory."""
    folder = Path(tempfile.mkdtemp(prefix=f"{place.root.name}-", dir=_database_parent(place)))
    place.database.symlink_to(folder)
    common = (f"--datadir={folder / 'data'}", f"--user={user_name()}", "--innodb-log-file-size=16M")
    install = ("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db")
    _start(place, "mariadb-install-db", *install, *common)
    serve = (
        *("--no-defaults", "--skip-networking", "--skip-log-bin", "--performance-schema=OFF", "--max-connections=30"),
        *("--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900", "--innodb-flush-log-at-trx-commit=0"),
        f"--tmpdir={folder}",
        f"--socket={_database_socket(place)}",
        f"--pid-file={place.pid_file('mariadbd')}",
    )
    # setsid, as it stays in the session in which it was started, and would be interrupted with it
    _start(place, "setsid", "--fork", "mariadbd", *serve, *common)
    _await(place, "setsid", "mariadb-admin", "--no-defaults", "-u", "root", "-S", str(_database_socket(place)), "ping")


def start_accounting(place: Place) -> None:
    """Start the daemon between SLURM and the database."""
    _start(place, "slurmdbd")
    _await(place, "slurmdbd", "sacctmgr", "-n", "list", "cluster")


def add_associations(place: Place) -> None:
    """Make cluster, account and user known to accounting; before the controller starts, which reads them then."""
    for words in ("cluster lab", "account lab", f"user {user_name()} account=lab defaultaccount=lab"):
        call(place, "sacctmgr", "-i", "add", *words.split())


def start_controller(place: Place) -> None:
    """Start slurmctld and wait until it answers."""
    _start(place, "slurmctld")
    _await(place, "slurmctld", "scontrol", "ping")


def start_node(place: Place, node: str) -> None:
    """Start the slurmd of a node, which reports to the controller by itself."""
    _start(place, "slurmd", "-N", node)


def stop(place: Place, *daemons: str) -> None:
    """End daemons, all at once, and wait until they are gone."""
    processes.end(running(place, *daemons), timeout_s=_STOP_S)


def kill(place: Place, *daemons: str) -> None:
    """Kill daemons as a crash would."""
    processes.kill(running(place, *daemons))


def running(place: Place, *daemons: str) -> list[int]:
    """Processes of those of the named daemons that run."""
    pids = [_pid(place.pid_file(daemon)) for daemon in daemons]
    # the system may have given the number to another process, which then does not carry our variables
    return [pid for pid in pids if pid and processes.carries(pid, place.environment)]


def _start(place: Place, program: str, *arguments: str) -> None:
    """Run a program that goes into the background, or ends soon."""
    environment = {"PATH": PATH, "LC_ALL": "C", "MYSQL_UNIX_PORT": str(_database_socket(place)), **place.environment}
    with place.log(f"{program}.out").open("ab") as output:
        code = subprocess.run(
            [shutil.which(program, path=PATH) or program, *arguments],
            env=environment,
            cwd=place.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        ).returncode
    if code:
        raise ClusterError(f"{program} ended with {code}: {_last_words(place, program)}")


def _await(place: Place, daemon: str, *question: str) -> None:
    if not processes.until(lambda: answers(place, *question), timeout_s=_START_S):
        raise ClusterError(f"{daemon} does not answer after {_START_S:g} seconds: {_last_words(place, daemon)}")


def _last_words(place: Place, program: str) -> str:
    """The end of what a program said, there or into its log; slurmd has a log for each node."""
    logs = sorted(place.log("").glob(f"{program}*"), key=os.path.getmtime)
    return "\n".join(last_lines(log, 5) for log in logs[-2:]).strip()


def _database_parent(place: Place) -> Path:
    has_room = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES
    return _MEMORY if has_room else place.root


def _database_socket(place: Place) -> Path:
    return place.database / "my.sock"


def _pid(file: Path) -> int:
    """The number in a pid file; 0 where there is none, or none yet."""
    try:
        return int(file.read_text())
    except (FileNotFoundError, ValueError):
        return 0
