"""Commands that only look answer without the heavy packages, which take seconds to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.store.store import Store
from tests.report.world import two_rows

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"lightning_fabric", "open_clip", "segmentation_models_pytorch", "timm", "torch", "torchvision"}
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


def _imported(runs: Path, *arguments: str) -> set[str]:
    command = [sys.executable, "-c", COMMAND, "--runs", str(runs), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return set(done.stderr.partition("imported:")[2].split())


@pytest.mark.parametrize(
    "arguments", [("--help",), ("list",), ("status",), ("table", "demo"), ("show", "paper-toybox-s0")]
)
def test_looking_imports_nothing_heavy(runs: Path, arguments: tuple[str, ...]) -> None:
    assert not _imported(runs, *arguments) & HEAVY


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("status",)])
def test_help_list_and_status_do_without_tables_and_figures(runs: Path, arguments: tuple[str, ...]) -> None:
    assert not _imported(runs, *arguments) & {"matplotlib", "pandas", "scipy", "seaborn"}


def test_what_a_command_imports_is_noticed(runs: Path) -> None:
    assert "benchmark.planning.registry" in _imported(runs, "list")
