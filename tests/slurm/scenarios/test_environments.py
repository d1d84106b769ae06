"""Scenarios with awkward environments of submitters and jobs: the submitted code runs, or the reason is on record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.core.run_state import RunState
from tests.slurm.scenarios.crawler import BEHAVIORS
from tests.slurm.scenarios.grid import Grid

HOSTILE = 'raise SystemExit("the file of the user was run")\n'


@pytest.fixture
def odd_grid(plain_grid: Grid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grid:
    """Grid in a folder with an odd name, submitted from a folder whose files are called like modules."""
    grid = replace(plain_grid, root=tmp_path / 'it\'s 100% "ü" #1')
    grid.behaviors.mkdir(parents=True)
    monkeypatch.setenv(BEHAVIORS, str(grid.behaviors))
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("benchmark", "methods", "slurm", "logging", "json"):
        (folder / f"{name}.py").write_text(HOSTILE)
    monkeypatch.chdir(folder)
    return grid


@pytest.mark.slow
def test_setup_reaches_the_run_even_if_the_job_gets_no_environment(
    odd_grid: Grid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "sitecustomize.py").write_text("open(__file__ + '.seen', 'w').close()\n")
    monkeypatch.setenv("SLURM_EXPORT_ENV", "NONE")
    odd_grid.write_study(setup=[f"export PYTHONPATH={mine}"], additional_parameters={"export": "NONE"})
    assert "1 run submitted" in odd_grid.submit().out
    odd_grid.finish()
    assert (mine / "sitecustomize.py.seen").exists()


@pytest.mark.slow
def test_a_job_that_runs_other_code_than_was_submitted_fails_and_says_so(plain_grid: Grid) -> None:
    plain_grid.write_study(held=True)
    plain_grid.submit()
    (path,) = plain_grid.store.root.glob("submissions/*/manifest.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"code": {plain_grid.run: "0123456789abcdef"}}))
    plain_grid.cluster.call("scontrol", "release", plain_grid.array_task(plain_grid.run))
    plain_grid.wait_stored_state(RunState.FAILED)
    assert plain_grid.failure(plain_grid.run).kind == "other code"
    assert not plain_grid.store.run(plain_grid.run).checkpoint_path.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"python": "/nowhere/bin/python"}, "/nowhere/bin/python: No such file or directory"),
        ({"setup": ["set -e", "no-such-module load cuda"]}, "no-such-module: command not found"),
    ],
)
def test_what_ends_a_job_before_its_run_is_on_record(plain_grid: Grid, settings: dict, reason: str) -> None:
    plain_grid.write_study(**settings)
    plain_grid.submit()
    plain_grid.wait_empty()
    assert plain_grid.run_command("collect", "grid").code == 3
    assert reason in plain_grid.failure(plain_grid.run).message


def test_an_element_that_was_canceled_before_its_start_can_be_submitted_at_once(plain_grid: Grid) -> None:
    plain_grid.write_study(seeds=3, held=True)
    plain_grid.submit()
    assert plain_grid.run_command("cancel", plain_grid.ids[1]).out == "1 run in 1 job canceled\n"
    assert plain_grid.states() == [RunState.WAITING, RunState.MISSING, RunState.WAITING]
    assert "1 run submitted" in plain_grid.submit().out
