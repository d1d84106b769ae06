"""Runner of the package's own commands on one store, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmark.utils.paths import ROOT
from benchmark.utils.yaml_files import read_table

COMMAND_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class CommandOutput:
    """Exit code and output of a command.

    Attributes:
        exit_code: Exit code of the process.
        stdout: Text written to stdout.
        stderr: Text written to stderr.
        seconds: Wall time of the process, including its start.
    """

    exit_code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def last_line(self) -> str:
        """Last line of stderr, or of stdout if stderr is empty."""
        return (self.stderr.strip() or self.stdout.strip() or "no output").splitlines()[-1]


@dataclass(frozen=True)
class CommandRunner:
    """Runner of commands on one store.

    Attributes:
        store: Folder of the store.
        environment: Environment variables in addition to those of this process, for example those of a cluster.
    """

    store: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S) -> CommandOutput:
        """Run a command and wait until it exits.

        Raises:
            subprocess.TimeoutExpired: The command did not exit in time and was killed.
        """
        start_s = time.monotonic()
        result = subprocess.run(
            self._command(arguments),
            env=os.environ | self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return CommandOutput(result.returncode, result.stdout, result.stderr, time.monotonic() - start_s)

    @contextmanager
    def start(self, *arguments: str, show_output: bool = False) -> Iterator[subprocess.Popen[bytes]]:
        """Start a command and terminate it at the end of the context if it still runs.

        Args:
            arguments: Arguments of the command.
            show_output: Whether stdout and stderr of the command are those of this process.
        """
        output = None if show_output else subprocess.DEVNULL
        command, environment = self._command(arguments), os.environ | self.environment
        with subprocess.Popen(
            command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process:
            try:
                yield process
            finally:
                process.terminate()

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "benchmark", "--runs", str(self.store), *arguments]


def write_study(template: Path, path: Path, *, runs: int, **changes: Any) -> Path:
    """Write a study that has as many seeds as the requested number of runs needs.

    Args:
        template: Study to copy.
        path: File to write; its stem is the name of the new study.
        runs: Smallest number of runs; all rows have the same seeds, so there may be a few more.
        changes: Other fields to replace.
    """
    study = read_table(template, kind="study") | changes
    study["seeds"] = list(range(-(-runs // len(study["rows"]))))
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return path
