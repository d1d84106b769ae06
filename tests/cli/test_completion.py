"""What a shell completes, asked as its script asks; quick, as it imports no heavy package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.store.store import Store
from tests.report.world import even, save, spec_of, two_rows

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "pandas", "matplotlib", "open_clip"}
CODE = """
import sys
from benchmark.cli import main
try:
    main([])
finally:
    print("imported:", *sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("store"))
    store.write_plan(two_rows(store))
    save(store, spec_of("other", seed=7), even(80, 60))
    return store.root


def complete(runs: Path, words: str, *, shell: str = "bash") -> list[str]:
    """Return what a shell offers for the last word, which may be empty."""
    environment = os.environ | {
        "CHIMERA_BENCH_RUNS": str(runs),
        "_CHIMERA_BENCH_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": f"chimera-bench {words}",
        "COMP_CWORD": str(len(words.split(" "))),
        "_TYPER_COMPLETE_ARGS": f"chimera-bench {words}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert not set(done.stderr.partition("imported:")[2].split()) & HEAVY
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("run chimera", ["chimera_seg"]),
        ("run maskclip/", ["maskclip/MaskCLIP"]),
        ("run maskclip --split toybox_", ["toybox_tune"]),
        ("run maskclip --track wandb,t", ["wandb,tensorboard"]),
        ("splits pascal_context3", ["pascal_context33"]),
        ("splits head_s", ["head_start"]),
        ("status d", ["demo"]),
        ("show demo-other", ["demo-other-toybox-s7-"]),
        ("archive dem", ["demo", "demo-no-sgd-toybox-s0-"]),
    ],
)
def test_names_are_completed(runs: Path, words: str, offered: list[str]) -> None:
    found = complete(runs, words)
    assert [name[: len(start)] for name, start in zip(found, offered, strict=False)] == offered


def test_a_run_is_completed_by_the_end_of_its_id(runs: Path) -> None:
    digits = spec_of("other", seed=7).id[-16:]
    assert complete(runs, f"logs {digits[:6]}") == [digits]


def test_spaces_are_escaped_for_bash_only(runs: Path) -> None:
    assert r"chimera_seg/no\ SGD" in complete(runs, "run chimera_seg/no")
    assert "chimera_seg/no SGD" in "\n".join(complete(runs, "run chimera_seg/no", shell="fish"))
