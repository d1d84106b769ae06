"""Read-only commands start quickly: they import no heavy package and take little CPU time, also with many runs."""

from __future__ import annotations

import functools
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.store.store import Store
from tests.report.world import even, save, spec_of, two_rows

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"lightning_fabric", "open_clip", "segmentation_models_pytorch", "timm", "torch", "torchvision"}
LIBRARIES = ("-c", "import pydantic, rich, typer, yaml")
"""Libraries that every command imports."""
COMMAND = """
import sys
from benchmark.cli import main
try:
    main(sys.argv[1:])
finally:
    print("imported:", *sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("store"))
    store.write_plan(two_rows(store))
    return store.root


@functools.cache
def list_imports(runs: Path, *arguments: str) -> frozenset[str]:
    command = [sys.executable, "-c", COMMAND, "--runs", str(runs), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return frozenset(done.stderr.partition("imported:")[2].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("list",),
        ("status",),
        ("table", "demo"),
        ("show", "paper-toybox-s0"),
        ("published",),
        ("published", "--check"),
    ],
)
def test_read_only_commands_import_no_heavy_package(runs: Path, arguments: tuple[str, ...]) -> None:
    assert not list_imports(runs, *arguments) & HEAVY


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("status",), ("published", "--split", "voc12")])
def test_help_list_status_and_published_import_nothing_for_tables_and_figures(
    runs: Path, arguments: tuple[str, ...]
) -> None:
    assert not list_imports(runs, *arguments) & {"matplotlib", "pandas", "scipy", "seaborn"}


def test_the_imports_of_a_command_are_seen_by_these_tests(runs: Path) -> None:
    assert "benchmark.planning.registry" in list_imports(runs, "list")


def measure_relative_time(cache: Path, *arguments: str) -> float:
    """Return the CPU time of a command divided by that of importing its libraries, each the least of three calls.

    A ratio, since seconds depend on the load of the machine. The first calls, which also compile, do not count.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(cache)
    environment["CHIMERA_BENCH_RUNS"] = str(cache / "runs")  # not those that lie in the checkout
    times: dict[tuple[str, ...], list[float]] = {LIBRARIES: [], ("-m", "benchmark", *arguments): []}
    for _ in range(4):
        for command, spent in times.items():
            before = read_children_cpu_s()
            subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, check=True)
            spent.append(read_children_cpu_s() - before)
    libraries, total = (min(spent[1:]) for spent in times.values())
    return total / libraries


def read_children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bytecode")


@pytest.mark.parametrize("command", ["--help", "list", "status"])
def test_read_only_commands_take_little_time(cache: Path, command: str) -> None:
    assert measure_relative_time(cache, command) < 4  # pandas alone would add 4, torch 20


@pytest.mark.slow
def test_status_of_a_thousand_runs_takes_little_time(cache: Path, tmp_path: Path) -> None:
    store, counts = Store(tmp_path), even(80, 60)
    for seed in range(1000):
        save(store, spec_of(seed=seed), counts)
    assert measure_relative_time(cache, "--runs", str(tmp_path), "status") < 8


INTERRUPTED_IMPORT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
import benchmark.cli
sys.exit(signal.getsignal(signal.SIGINT) is not signal.default_int_handler)
"""


@pytest.mark.parametrize(("module", "code"), [("benchmark.cli.main", 130), ("typer", 130), ("none", 0)])
def test_an_interrupt_of_the_imports_ends_without_a_traceback(module: str, code: int) -> None:
    command = [sys.executable, "-c", INTERRUPTED_IMPORT, module]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
