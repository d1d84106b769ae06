"""A cluster to try things out on: `python -m slurm.testing up`, `env`, `status` and `down`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from slurm.testing import Cluster, ClusterError, Layout

ROOT = Path(f"/tmp/chimera-slurm-of-{os.geteuid()}")
"""The one cluster of this user that outlives the process that started it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "up":
            _up(Layout(nodes=given.nodes, cpus=given.cpus, accounting=given.accounting))
        else:
            {"down": _down, "env": _env, "status": _status}[given.command]()
    except (ClusterError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m slurm.testing", description="A SLURM cluster on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start it, or say that it runs")
    up.add_argument("--nodes", type=int, default=Layout.nodes, help="virtual nodes (%(default)s)")
    up.add_argument("--cpus", type=int, default=Layout.cpus, help="processors that each declares (%(default)s)")
    up.add_argument("--no-accounting", dest="accounting", action="store_false", help="without sacct and its database")
    commands.add_parser("env", help="the variables with which commands find it, for eval")
    commands.add_parser("status", help="its nodes and jobs")
    commands.add_parser("down", help="cancel its jobs, stop it and remove all its files")
    return parser


def _up(layout: Layout) -> None:
    if ROOT.exists() and (cluster := _cluster()).is_up:
        _env()
        print(f"# already up, with {cluster.layout.nodes} nodes; the line above leads a shell to it")
        return
    if ROOT.exists():  # the machine was started anew since
        _down()
    begun = time.monotonic()
    Cluster(layout, root=ROOT).start()
    _env()
    took = f"{time.monotonic() - begun:.1f} s"
    nodes = f"{layout.nodes} node{'s' * (layout.nodes > 1)} of {layout.cpus} processors"
    print(f"# {nodes}, up within {took}; the line above leads a shell there")


def _down() -> None:
    _cluster().stop()
    print("# the cluster is down, its files are removed")


def _env() -> None:
    for name, value in _cluster().environment.items():
        print(f"export {name}={value}")


def _status() -> None:
    cluster = _cluster()
    print(cluster.call("sinfo") + cluster.call("squeue"), end="")


def _cluster() -> Cluster:
    """The cluster that is up. Raises ClusterError where there is none, or where somebody else made its directory."""
    if not ROOT.exists():
        raise ClusterError("no cluster is up; start one with: python -m slurm.testing up")
    if ROOT.stat().st_uid != os.geteuid():
        raise ClusterError(f"{ROOT} belongs to another user; have it removed")
    return Cluster.at(ROOT)


if __name__ == "__main__":
    sys.exit(main())
