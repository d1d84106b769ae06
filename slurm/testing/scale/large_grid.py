"""Timing of a grid of a thousand runs, from `plan` to `collect`: `python -m slurm.testing.scale.large_grid`.

The grid runs on a real cluster. Its nodes accept no jobs until plan, submit and status have been timed, so that the
times do not depend on the load of the jobs. Then all runs are computed. The exit code is 0 if all runs are done.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from benchmark.core.run_state import RunState
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.processes import count_cores
from slurm.status.run_status import QUEUE_DELAY_S
from slurm.testing import Cluster, ClusterError, ClusterLayout, stop_abandoned_clusters
from slurm.testing.chaos.command_runner import CommandRunner, write_study

FILES = Path(__file__).resolve().parent
METHOD = str(FILES / "noop_method.py")
ALONE, PACKED = FILES / "alone.yaml", FILES / "packed.yaml"
LAYOUT = ClusterLayout(cpus=1, gpus=0)
"""One job per node: concurrent jobs would only compete for the processors of this machine."""

POLL_S = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Time a grid with command line arguments and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m slurm.testing.scale.large_grid", description="Time the commands on a large grid."
    )
    parser.add_argument("--runs", type=int, default=1000, help="number of runs (%(default)s)")
    runs = parser.parse_args(arguments).runs
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.INTERRUPTED))  # raises: started processes are ended
    stop_abandoned_clusters()
    try:
        with tempfile.TemporaryDirectory(prefix="large-grid-") as folder, Cluster(LAYOUT) as cluster:
            return _time_grid(cluster, Path(folder), runs=runs)
    except (ClusterError, RuntimeError) as error:
        typer.echo(error, err=True)
        return 1


@dataclass(frozen=True)
class _CommandTimer:
    """Timer that runs commands on one study and prints their wall times.

    Attributes:
        runner: Runner of the commands.
        study: File of the study.
        runs: Number of runs of the study.
    """

    runner: CommandRunner
    study: Path
    runs: int

    def run(self, name: str, *arguments: str, expected: str) -> str:
        """Run a command, print its time and return its output.

        Args:
            name: Description to print.
            arguments: Arguments of the command.
            expected: Text that the output must contain.

        Raises:
            RuntimeError: The command failed or its output lacks the expected text.
        """
        output = self.runner.run(*arguments)
        if output.exit_code or expected not in output.stdout:
            reason = f"exit code {output.exit_code}, {output.last_line}"
            raise RuntimeError(f"{arguments[0]}: expected output {expected!r}, got {reason}")
        typer.echo(f"{output.seconds:8.2f} s  {name}")
        return output.stdout

    def submit(self, name: str, profile: Path, *, sent: int) -> None:
        """Submit the study and check the number of runs that are sent."""
        self.run(name, "submit", str(self.study), "--cluster", str(profile), expected=f"\n{sent} runs submitted")

    def fill_queue(self, profile: Path) -> None:
        """Time submit and status while no node accepts jobs."""
        self.submit(f"submit with {profile.stem}.yaml", profile, sent=self.runs)
        self.submit("  submit again, nothing to send", profile, sent=0)
        self.run("  status while all runs wait", "status", self.study.stem, expected=f"{self.runs} waiting")


def _time_grid(cluster: Cluster, folder: Path, *, runs: int) -> int:
    """Time all commands from plan to collect and return the exit code."""
    rows = [{"method": METHOD}]
    study = write_study(FILES / "study.yaml", folder / "large_grid.yaml", runs=runs, rows=rows)
    timer = _CommandTimer(CommandRunner(folder / "runs", cluster.environment), study, runs)
    _update_nodes(cluster, "state=drain", "reason=measuring")
    timer.run("plan", "plan", str(study), expected=f"{runs} missing")
    timer.fill_queue(ALONE)
    timer.run("  cancel", "cancel", study.stem, expected=f"{runs} runs")
    time.sleep(QUEUE_DELAY_S)  # until then, runs whose job has just left the queue count as waiting
    timer.fill_queue(PACKED)
    _update_nodes(cluster, "state=resume")
    _wait_for_runs(cluster, runs=runs)
    timer.run("status when all runs are done", "status", study.stem, expected=f"{runs} done")
    timer.submit("submit when all runs are done", PACKED, sent=0)
    states = json.loads(timer.run("collect", "collect", study.stem, "--json", expected="states"))["states"]
    typer.echo(f"{Counter(states.values())['done']} of {runs} done and collected")
    return 0 if list(states.values()) == [RunState.DONE] * runs else 1


def _update_nodes(cluster: Cluster, *settings: str) -> None:
    cluster.call("scontrol", "update", f"nodename={','.join(cluster.layout.node_names)}", *settings)


def _wait_for_runs(cluster: Cluster, *, runs: int) -> None:
    """Wait until all jobs are gone and print the time of the runs."""
    start_s = time.monotonic()
    while cluster.call("squeue", "--noheader"):
        time.sleep(POLL_S)
    seconds = time.monotonic() - start_s
    typer.echo(f"{seconds:8.2f} s  all runs, {seconds / runs:.2f} s each, on {count_cores()} processors")


if __name__ == "__main__":
    sys.exit(main())
