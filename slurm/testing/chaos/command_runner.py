"""What a researcher types: the package's own commands about one store, each a process of its own."""

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

"""Where the package lies, also where it is not installed."""

PATIENCE_S = 300.0


@dataclass(frozen=True)
class Said:
    """How a command ended.

    Attributes:
        code: its exit code.
        text, complaint: what it wrote on stdout and on stderr.
        seconds: how long it took, from a cold start.
    """

    code: int
    text: str
    complaint: str
    seconds: float

    @property
    def last_words(self) -> str:
        """The last line, of what it complained of if it did."""
        return (self.complaint.strip() or self.text.strip() or "nothing").splitlines()[-1]


@dataclass(frozen=True)
class Desk:
    """Where somebody works on one store.

    Attributes:
        store: its folder.
        environment: variables beside those of this process, such as those that lead to a cluster.
    """

    store: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def call(self, *words: str, timeout_s: float = PATIENCE_S) -> Said:
        """Run a command to its end. Raises TimeoutExpired, after killing it, where that does not come."""
        begun = time.monotonic()
        done = subprocess.run(
            self._command(words),
            env=os.environ | self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)

    @contextmanager
    def begun(self, *words: str, shown: bool = False) -> Iterator[subprocess.Popen[bytes]]:
        """A command that is at work meanwhile, and is told to end afterwards where it has not.

        Args:
            words: of the command.
            shown: whether what it writes is seen here.
        """
        output = None if shown else subprocess.DEVNULL
        command, environment = self._command(words), os.environ | self.environment
        with subprocess.Popen(
            command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process:
            try:
                yield process
            finally:
                process.terminate()

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "benchmark", "--runs", str(self.store), *words]


def write_study(template: Path, path: Path, *, runs: int, **changes: Any) -> Path:
    """Write a study like another one with so many runs, or a few more where its rows ask for it.

    Args:
        template: the other one.
        path: of the new one, whose stem is its name.
        runs: at least so many, as every row has the same seeds.
        changes: other fields.
    """
    study = yaml.safe_load(template.read_text(encoding="utf-8")) | changes
    study["seeds"] = list(range(-(-runs // len(study["rows"]))))
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return path
