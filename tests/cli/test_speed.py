"""Commands that look answer at once, also about many runs."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.store.store import Store
from tests.report.world import even, save, spec_of

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("-c", "import pydantic, rich, typer, yaml")
"""What every command stands on."""


def _times_its_libraries(cache: Path, *arguments: str) -> float:
    """CPU time of a command over that of loading its libraries: the least of three calls each, made in turn.

    A ratio, as seconds say more of what else the machine does. The first calls also compile, and do not count.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(cache)
    times: dict[tuple[str, ...], list[float]] = {LIBRARIES: [], ("-m", "benchmark", *arguments): []}
    for _ in range(4):
        for command, spent in times.items():
            before = _children_s()
            subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, check=True)
            spent.append(_children_s() - before)
    libraries, all_of_it = (min(spent[1:]) for spent in times.values())
    return all_of_it / libraries


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bytecode")


@pytest.mark.parametrize("command", ["--help", "list", "status"])
def test_looking_takes_little_time(cache: Path, command: str) -> None:
    assert _times_its_libraries(cache, command) < 4  # pandas alone would add 4, torch 20


@pytest.mark.slow
def test_status_of_a_thousand_runs_takes_little_time(cache: Path, tmp_path: Path) -> None:
    store, counts = Store(tmp_path), even(80, 60)
    for seed in range(1000):
        save(store, spec_of(seed=seed), counts)
    assert _times_its_libraries(cache, "--runs", str(tmp_path), "status") < 8
