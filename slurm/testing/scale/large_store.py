"""Timing of the commands on a large store: `python -m slurm.testing.scale.large_store SOURCE --runs 10000`.

The runs are copies of the finished runs in SOURCE. Every command runs twice, cold (without an index, from the files)
and warm (from the index). Printed are its wall time, its processor time, which other processes change less, the memory
of its largest process, and its goals on an idle machine with two cores. The exit code is 0 if every command prints the
same both times; a goal that is missed changes nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from benchmark.store.index.file_identity import SETTLED_NS
from benchmark.store.store import Store
from slurm.testing.scale.copied_runs import STUDY, copy_runs

MAX_MEMORY_MB = 1000
"""Goal of every command."""
PAGE = "page.html"


@dataclass(frozen=True)
class TimedCommand:
    """A command and the wall times that it should not exceed.

    Attributes:
        words: Words of the command.
        cold_s: Goal without an index.
        warm_s: Goal with an index.
    """

    words: tuple[str, ...]
    cold_s: float
    warm_s: float


COMMANDS = (
    TimedCommand(("status",), cold_s=6.0, warm_s=1.0),
    TimedCommand(("table", STUDY), cold_s=6.0, warm_s=1.5),
    TimedCommand(("table", STUDY, "--format", "csv"), cold_s=6.0, warm_s=1.5),
    TimedCommand(("report", STUDY, "--out", PAGE, "--overwrite"), cold_s=6.0, warm_s=5.0),
)


@dataclass(frozen=True)
class CommandTime:
    """What one call of a command took.

    Attributes:
        wall_s: Wall time.
        cpu_s: Processor time of all of its processes.
        memory_mb: Largest resident set of any of its processes.
        output: What the command printed, or wrote to its file.
    """

    wall_s: float
    cpu_s: float
    memory_mb: float
    output: bytes


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
        typer.echo("   wall       CPU    memory  goal")
        is_same = [_time_command(root, command) for command in COMMANDS]
    return 0 if all(is_same) else 1


def _time_command(root: Path, command: TimedCommand) -> bool:
    """Print what a command takes, and return whether it gives the same with and without an index."""
    outputs = set()
    for name, goal_s in (("cold", command.cold_s), ("warm", command.warm_s)):
        measured = measure_command(root, command.words)
        outputs.add(measured.output)
        is_met = measured.wall_s <= goal_s and measured.memory_mb <= MAX_MEMORY_MB
        typer.echo(
            f"{measured.wall_s:6.2f} s  {measured.cpu_s:6.2f} s  {measured.memory_mb:5.0f} MB  "
            f"{goal_s:3.1f} s {'met' if is_met else 'missed'}  {' '.join(command.words)} ({name})"
        )
    if len(outputs) > 1:
        typer.echo(f"{' '.join(command.words)} gives different results with and without an index", err=True)
    return len(outputs) == 1


def measure_command(root: Path, words: Sequence[str]) -> CommandTime:
    """Run a command in a new process, in the folder above that of the runs.

    Args:
        root: Folder of the runs.
        words: Words of the command.

    Raises:
        RuntimeError: The command failed.
    """
    line = [sys.executable, "-P", "-m", "benchmark", "--runs", str(root), *words]
    page = root.parent / PAGE
    with tempfile.TemporaryFile() as printed:
        start_s = time.monotonic()
        process = subprocess.Popen(line, stdout=printed, cwd=root.parent)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - start_s
        process.returncode = os.waitstatus_to_exitcode(status)  # or `Popen` would wait for it again
        printed.seek(0)
        output = page.read_bytes() if PAGE in words and not process.returncode else printed.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with exit code {process.returncode}: its message is above")
    return CommandTime(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


if __name__ == "__main__":
    sys.exit(main())
