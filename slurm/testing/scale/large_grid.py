"""What a grid of a thousand runs takes, from `plan` to `collect`: `python -m slurm.testing.scale.large_grid`.

On a real cluster, whose nodes take no jobs until plan, submit and status have been measured: these are about the suite
and not about how busy this machine is. Then every run is run. It ends with 0 if all are done.
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

from benchmark.execution.local_pool import cores
from slurm.testing import Cluster, ClusterError, Layout, stop_abandoned
from slurm.testing.chaos.command_runner import Desk, write_study

FILES = Path(__file__).resolve().parent
METHOD = str(FILES / "noop_method.py")
ALONE, PACKED = FILES / "alone.yaml", FILES / "packed.yaml"
LAYOUT = Layout(cpus=1, gpus=0)
"""A node holds one job: more at a time would only wait for the processors of this machine."""

POLL_S = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m slurm.testing.scale.large_grid", description="What a large grid takes."
    )
    parser.add_argument("--runs", type=int, default=1000, help="of the grid (%(default)s)")
    runs = parser.parse_args(arguments).runs
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))  # as an exception, so that whatever was started is ended
    stop_abandoned()
    try:
        with tempfile.TemporaryDirectory(prefix="thousand-") as folder, Cluster(LAYOUT) as cluster:
            return _measured(cluster, Path(folder), runs=runs)
    except (ClusterError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1


@dataclass(frozen=True)
class _Watch:
    """Prints how long commands take on one study."""

    desk: Desk
    study: Path
    runs: int

    def take(self, name: str, *words: str, expected: str) -> str:
        """Run a command and print its time; returns its output. Raises RuntimeError where that lacks something."""
        said = self.desk.call(*words)
        if said.code or expected not in said.text:
            raise RuntimeError(f"{words[0]} ought to say {expected!r}: {said.code}, {said.last_words}")
        print(f"{said.seconds:8.2f} s  {name}", flush=True)
        return said.text

    def submit(self, name: str, profile: Path, *, sent: int) -> None:
        """Submit the study, of which so many runs are to be sent."""
        self.take(name, "submit", str(self.study), "--cluster", str(profile), expected=f"\n{sent} runs sent")

    def wait_in_queue(self, profile: Path) -> None:
        """Send all of it to nodes that take nothing."""
        self.submit(f"submit, as {profile.stem}.yaml says", profile, sent=self.runs)
        self.submit("  again: nothing is left to send", profile, sent=0)
        self.take("  status, while all wait", "status", self.study.stem, expected=f"{self.runs} waiting")


def _measured(cluster: Cluster, folder: Path, *, runs: int) -> int:
    """Take a grid from its plan to its end; returns the exit code."""
    rows = [{"method": METHOD}]
    study = write_study(FILES / "study.yaml", folder / "thousand.yaml", runs=runs, rows=rows)
    watch = _Watch(Desk(folder / "runs", cluster.environment), study, runs)
    _tell_nodes(cluster, "state=drain", "reason=measuring")
    watch.take("plan", "plan", str(study), expected=f"{runs} missing")
    watch.wait_in_queue(ALONE)
    watch.take("  cancel", "cancel", study.stem, expected=f"{runs} runs")
    watch.wait_in_queue(PACKED)
    _tell_nodes(cluster, "state=resume")
    _run_all(cluster, runs=runs)
    watch.take("status, when all are done", "status", study.stem, expected=f"{runs} done")
    watch.submit("submit, when all are done", PACKED, sent=0)
    states = json.loads(watch.take("collect", "collect", study.stem, "--json", expected="states"))["states"]
    print(f"{Counter(states.values())['done']} of {runs} done and collected")
    return 0 if list(states.values()) == ["done"] * runs else 1


def _tell_nodes(cluster: Cluster, *words: str) -> None:
    cluster.call("scontrol", "update", f"nodename={','.join(cluster.layout.node_names)}", *words)


def _run_all(cluster: Cluster, *, runs: int) -> None:
    """Wait until no job is left, and print what the runs took."""
    begun = time.monotonic()
    while cluster.call("squeue", "--noheader"):
        time.sleep(POLL_S)
    seconds = time.monotonic() - begun
    print(f"{seconds:8.2f} s  all runs, {seconds / runs:.2f} s each, on {cores()} processors", flush=True)


if __name__ == "__main__":
    sys.exit(main())
