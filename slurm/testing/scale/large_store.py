"""Timing of the commands on a large store: `python -m slurm.testing.scale.large_store SOURCE --runs 10000`.

The runs are copies of the finished runs in SOURCE. Every command runs without an index, with an empty one and with a
full one; printed are processor seconds, which other processes change little, and the largest memory. The exit code is 0
if all three print the same.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import typer

from benchmark.store.index.file_identity import SETTLED_NS
from benchmark.store.store import Store
from slurm.testing.scale.copied_runs import STUDY, copy_runs

COMMANDS = (("status",), ("table", STUDY), ("table", STUDY, "--format", "csv"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Time the commands with command line arguments and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m slurm.testing.scale.large_store", description=__doc__)
    parser.add_argument("source", type=Path, help="folder of finished runs")
    parser.add_argument("--runs", type=int, default=10_000, help="number of copies (%(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="large-store-") as folder:
        root = Path(folder) / "runs"
        copy_runs(Store(options.source), Store(root), runs=options.runs)
        time.sleep(SETTLED_NS / 1e9)  # what changed a moment ago is not indexed
        is_same = [_time_command(root, command) for command in COMMANDS]
    return 0 if all(is_same) else 1


def _time_command(root: Path, command: Sequence[str]) -> bool:
    """Print the times of a command and return whether it always prints the same."""
    words = [sys.executable, "-P", "-m", "benchmark", "--runs", str(root), *command]
    runs = {"--no-index": [*words, "--no-index"], "cold": words, "warm": words}
    outputs = set()
    for name, line in runs.items():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        outputs.add(subprocess.run(line, capture_output=True, check=True).stdout)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        peak_mb = after.ru_maxrss / 1024  # of all commands so far
        typer.echo(f"{seconds:8.2f} s  {peak_mb:6.0f} MB at most so far  {' '.join(command)} ({name})")
    if len(outputs) > 1:
        typer.echo(f"{' '.join(command)} prints different texts with and without an index", err=True)
    return len(outputs) == 1


if __name__ == "__main__":
    sys.exit(main())
