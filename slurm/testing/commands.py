"""Commands for a SLURM cluster to try things out: start it, print its environment and status, stop it."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import typer

from slurm.testing import Cluster, ClusterError, ClusterLayout

ROOT = Path(f"/tmp/chimera-slurm-of-{os.geteuid()}")
"""Directory of this user's one cluster that outlives the process that started it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command given on the command line and return the exit code."""
    options = _make_parser().parse_args(arguments)
    try:
        if options.command == "up":
            _start(ClusterLayout(nodes=options.nodes, cpus=options.cpus, accounting=options.accounting))
        else:
            {"down": _stop, "env": _print_environment, "status": _print_status}[options.command]()
    except (ClusterError, OSError, ValueError) as error:
        typer.echo(error, err=True)
        return 1
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m slurm.testing", description="A SLURM cluster on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start the cluster unless it runs")
    up.add_argument("--nodes", type=int, default=ClusterLayout.nodes, help="virtual nodes (%(default)s)")
    up.add_argument("--cpus", type=int, default=ClusterLayout.cpus, help="processors per node (%(default)s)")
    up.add_argument("--no-accounting", dest="accounting", action="store_false", help="without sacct and its database")
    commands.add_parser("env", help="print the environment variables of the cluster, for eval")
    commands.add_parser("status", help="print nodes and jobs")
    commands.add_parser("down", help="cancel all jobs, stop the cluster and remove its files")
    return parser


def _start(layout: ClusterLayout) -> None:
    if ROOT.exists() and (cluster := _find_cluster()).is_running:
        _print_environment()
        typer.echo(f"# already up, with {cluster.layout.nodes} nodes; the line above connects a shell to the cluster")
        return
    if ROOT.exists():  # left behind by a reboot
        _stop()
    start_s = time.monotonic()
    Cluster(layout, root=ROOT).start()
    _print_environment()
    seconds = f"{time.monotonic() - start_s:.1f} s"
    nodes = f"{layout.nodes} node{'s' * (layout.nodes > 1)} with {layout.cpus} processors"
    typer.echo(f"# {nodes}, started in {seconds}; the line above connects a shell to the cluster")


def _stop() -> None:
    _find_cluster().stop()
    typer.echo("# the cluster is stopped and its files are removed")


def _print_environment() -> None:
    for name, value in _find_cluster().environment.items():
        typer.echo(f"export {name}={value}")


def _print_status() -> None:
    cluster = _find_cluster()
    typer.echo(cluster.call("sinfo") + cluster.call("squeue"), nl=False)


def _find_cluster() -> Cluster:
    """Return the cluster of this user.

    Raises:
        ClusterError: There is no cluster, or its directory belongs to another user.
    """
    if not ROOT.exists():
        raise ClusterError("no cluster is up; start one with: python -m slurm.testing up")
    if ROOT.stat().st_uid != os.geteuid():
        raise ClusterError(f"{ROOT} belongs to another user; have it removed")
    return Cluster.attach(ROOT)
