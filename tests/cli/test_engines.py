"""An engine that is not here is refused before anything is done; what those that are here cost is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from benchmark.cli.engines import engines
from tests.cli.shell import TINY, run_command


def test_runs_on_an_engine_that_is_not_here_are_refused_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    code, out, err = run_command(capsys, "--runs", str(tmp_path), "run", TINY, "--engine", "detectron2")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: Detectron2 is not installed")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_submitted_for_an_engine_that_is_not_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    wanted = ("submit", TINY, "--engine", "detectron2", "--cluster", "debug")
    code, _, err = run_command(capsys, "--runs", str(tmp_path), *wanted)
    assert (code, list(tmp_path.iterdir())) == (1, [])
    assert err.splitlines()[-1].startswith("error: Detectron2 is not installed")


def test_what_would_be_run_on_it_can_be_seen_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    code, out, _ = run_command(capsys, "--runs", str(tmp_path), "run", TINY, "--engine", "detectron2", "--dry-run")
    assert code == 0
    assert out.startswith("missing")


def test_what_engines_cost_is_told_of_those_that_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    app = typer.Typer()
    app.command()(engines)
    done = CliRunner().invoke(app, [TINY, "--set", "budget.iterations=61", "--set", "budget.batch_size=1", "--json"])
    assert done.stderr.splitlines()[-1].startswith("detectron2 is left out: Detectron2 is not installed")
    found = json.loads(done.stdout)
    assert found.keys() == {"fabric"}
    assert [len(one["bare_ms"]) for one in found["fabric"].values()] == [2, 2]
