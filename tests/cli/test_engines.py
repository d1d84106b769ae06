"""An engine that is not installed is refused before anything is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.shell import TINY, run_command


def test_a_run_on_a_missing_engine_is_refused_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    code, out, err = run_command(capsys, "--runs", str(tmp_path), "run", TINY, "--engine", "detectron2")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: Detectron2 is not installed")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_submitted_for_a_missing_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    arguments = ("submit", TINY, "--engine", "detectron2", "--cluster", "debug")
    code, _, err = run_command(capsys, "--runs", str(tmp_path), *arguments)
    assert (code, list(tmp_path.iterdir())) == (1, [])
    assert err.splitlines()[-1].startswith("error: Detectron2 is not installed")


def test_a_dry_run_works_for_a_missing_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    code, out, _ = run_command(capsys, "--runs", str(tmp_path), "run", TINY, "--engine", "detectron2", "--dry-run")
    assert code == 0
    assert out.startswith("missing")


def test_a_plan_for_a_missing_engine_says_that_it_cannot_be_run_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    code, out, err = run_command(capsys, "--runs", str(tmp_path), "plan", TINY, "--engine", "detectron2")
    assert (code, "1 missing" in out) == (0, True)
    assert err.startswith("cannot be run on this machine: Detectron2 is not installed") and err.count("\n") == 2
    assert "cannot be run" not in run_command(capsys, "--runs", str(tmp_path), "plan", TINY).err
