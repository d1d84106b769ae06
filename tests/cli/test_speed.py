"""`speed engines` on the command line; tests/profiling has `speed labels`."""

from __future__ import annotations

import json
import sys

import pytest
from typer.testing import CliRunner

from benchmark.cli.speed import app
from tests.cli.shell import TINY


def test_the_cost_of_installed_engines_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    done = CliRunner().invoke(
        app, ["engines", TINY, "--set", "budget.iterations=61", "--set", "budget.batch_size=1", "--json"]
    )
    assert done.stderr.splitlines()[-1].startswith("detectron2 skipped: Detectron2 is not installed")
    overheads = json.loads(done.stdout)
    assert overheads.keys() == {"fabric"}
    assert [len(overhead["bare_ms"]) for overhead in overheads["fabric"].values()] == [2, 2]
