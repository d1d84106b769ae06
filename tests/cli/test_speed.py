"""Commands that look answer at once, also about many runs."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from benchmark.store import Store
from tests.report.world import even, save, spec_of

ROOT = Path(__file__).resolve().parents[2]
START_S = 0.3
"""Of CPU, and twice that on a machine that is busy with other tests."""
THOUSAND_S = 1.0


def _cpu_s(cache: Path, *arguments: str) -> float:
    """The least CPU time of a command in three calls; the first also compiles."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(cache)
    command = [sys.executable, "-m", "benchmark", *arguments]
    times = [_children_s()]
    for _ in range(4):
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
        times.append(_children_s())
    return min(after - before for before, after in pairwise(times[1:]))


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bytecode")


@pytest.mark.parametrize("command", ["--help", "list", "status"])
def test_looking_takes_little_time(cache: Path, command: str) -> None:
    assert _cpu_s(cache, command) < 2 * START_S


@pytest.mark.slow
def test_status_of_a_thousand_runs_takes_a_second(cache: Path, tmp_path: Path) -> None:
    store, counts = Store(tmp_path), even(80, 60)
    for seed in range(1000):
        save(store, spec_of(seed=seed), counts)
    assert _cpu_s(cache, "--runs", str(tmp_path), "status") < 2 * THOUSAND_S
