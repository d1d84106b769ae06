"""The option --weights: what is said of the file, and errors of one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.execution.runner import execute
from benchmark.planning.resolve import resolve
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from tests.cli.shell import TINY, run_command
from tests.engine.published import save_official
from tests.engine.runs import METHOD

PUBLISHED = ("--set", "budget.iterations=0", "--max-images", "2")


@pytest.fixture(autouse=True)
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path / "runs"))
    return str(save_official(tmp_path / "official.pth"))


def test_a_plan_says_what_starts_from_the_file_and_how_to_run_it(
    official: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run_command(capsys, "plan", METHOD, "--weights", official, *PUBLISHED)
    assert result.code == ExitCode.SUCCESS
    assert "small_method starts from official.pth, scored as published" in result.err
    assert f"--weights {official}" in result.err and "weights=official.pth" in result.out


@pytest.mark.parametrize("command", ["run", "plan", "submit"])
def test_a_wrong_file_is_one_line(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "official.pth"
    page.write_text("<html>not found</html>")
    cluster = ["--cluster", "local"] if command == "submit" else []
    result = run_command(capsys, command, METHOD, "--weights", str(page), *PUBLISHED, *cluster)
    assert result.code == ExitCode.ERROR
    assert result.err.endswith(
        f"--weights {page}: it is a web page: download the file itself, not the page that shows it\n"
    )
    assert len(result.err.splitlines()) == 1


def test_a_method_without_a_converter_is_one_line(official: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_command(capsys, "plan", TINY, "--weights", official)
    assert result.code == ExitCode.ERROR and len(result.err.splitlines()) == 1
    assert "Tiny reads no published checkpoints" in result.err


def test_show_names_the_file_of_a_run(official: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = resolve(METHOD, split="toybox", seed=0, overrides={"budget.iterations": 0}, max_images=2, weights=official)
    execute(spec, store=Store(tmp_path / "runs"), measures_cost=False)
    out = run_command(capsys, "show", spec.id).out
    assert spec.weights is not None
    assert f"file: {official}" in out and f"sha256: {spec.weights.sha256}" in out and "num_tensors: 11" in out
