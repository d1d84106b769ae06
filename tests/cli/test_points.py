"""Tests of `points` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.store.store import Store
from tests.cli.shell import TINY, run_command

pytestmark = pytest.mark.usefixtures("own_process")

SHORT = ("--split", "toybox", "--seed", "0", "--max-images", "2", "--no-cost")


def test_a_run_of_a_method_of_point_clouds_is_scored_on_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--runs", str(tmp_path))
    budget = ("--set", "budget.iterations=1", "--set", "budget.batch_size=2")
    assert run_command(capsys, *store, "run", "clip_points/seen only", *SHORT, *budget).code == 0
    (run_id,) = Store(tmp_path).list_ids()
    scores = json.loads(run_command(capsys, *store, "points", run_id, "--json").out)[run_id]
    assert 0 <= scores["pixel_accuracy"] <= 100
    assert run_id in run_command(capsys, *store, "points", run_id).out


def test_a_method_of_images_has_no_points_to_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ("--runs", str(tmp_path))
    assert run_command(capsys, *store, "run", TINY, *SHORT).code == 0
    result = run_command(capsys, *store, "points", Store(tmp_path).list_ids()[0])
    assert result.code == 1 and "which scores pixels and no points" in result.err
