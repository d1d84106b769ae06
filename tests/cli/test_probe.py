"""Tests of `probe` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.evaluation.scores import score
from benchmark.store.store import Store
from tests.cli.shell import TINY, run_command

pytestmark = pytest.mark.usefixtures("own_process")

SHORT = ("--split", "toybox", "--seed", "0", "--max-images", "2", "--no-cost")


def test_the_last_stage_has_the_scores_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ("--runs", str(tmp_path))
    budget = ("--set", "budget.iterations=1", "--set", "budget.init_images=16", "--set", "budget.batch_size=4")
    assert run_command(capsys, *store, "run", "chimera_seg/no SGD", *SHORT, *budget).code == 0
    (run_id,) = Store(tmp_path).list_ids()
    result = run_command(capsys, *store, "probe", run_id, "--fit-images", "8", "--json")
    stages = json.loads(result.out)[run_id]
    expected = score(Store(tmp_path).run(run_id).read_counts(), "d2-main")
    assert stages["prediction"]["miou"] == pytest.approx(expected.miou)
    assert stages["linear map of tokens in place of the head"]["miou"] >= 0


def test_only_chimera_seg_has_an_alignment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ("--runs", str(tmp_path))
    assert run_command(capsys, *store, "run", TINY, *SHORT).code == 0
    result = run_command(capsys, *store, "probe", Store(tmp_path).list_ids()[0])
    assert result.code == 1 and "only runs of chimera_seg have a head to probe" in result.err
