"""`speed engines` on the command line; tests/profiling has `speed labels`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark.cli import progress_lines
from benchmark.cli.speed import app
from benchmark.execution import measure_pace
from benchmark.execution.measure_pace import PaceRequest
from benchmark.store.paces import EvalPace, Flops, MeasuredPace, read_paces
from benchmark.store.store import Store
from tests.cli.shell import TINY, run_command


def test_the_cost_of_installed_engines_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    done = CliRunner().invoke(
        app, ["engines", TINY, "--set", "budget.iterations=61", "--set", "budget.batch_size=1", "--json"]
    )
    assert done.stderr.splitlines()[-1].startswith("detectron2 skipped: Detectron2 is not installed")
    assert done.stderr.count("ms added to a step") == 2
    overheads = json.loads(done.stdout)
    assert overheads.keys() == {"fabric"}
    assert [len(overhead["bare_ms"]) for overhead in overheads["fabric"].values()] == [2, 2]


def make_pace(**changes: Any) -> MeasuredPace:
    """Return a pace without training."""
    flops = Flops(matrix=10**12, convolution=0)
    evaluation = EvalPace(images=2, image_s=3, cpu_s=3, process_mb=2048, peak_mb=1, flops=flops)
    fields: dict[str, Any] = dict.fromkeys(("key", "code", "device", "data", "weights", "measured"), "x")
    fields |= {"is_gpu": False, "threads": 1, "parameters": 2_000_000, "trained": 0, "start_s": 1.0}
    return MeasuredPace(row="tiny", training=None, evaluation=evaluation, **fields | changes)


def test_a_row_that_fails_does_not_lose_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(request: PaceRequest, **_: Any) -> MeasuredPace | str:
        if not request.spec.overrides:
            return "ValueError: too large"
        return make_pace()

    monkeypatch.setattr(measure_pace, "measure_apart", measure)
    arguments = ("speed", "pace", TINY, "--set", "scale=0.01,0.5")
    result = run_command(capsys, "--runs", str(tmp_path), *arguments)
    assert result.code == 1 and "failed: ValueError: too large" in result.err
    assert result.out.splitlines()[1].split("  ")[0] == "tiny" and "2.00 GB" in result.out
    assert len(read_paces(Store(tmp_path), {"tiny"})) == 1


@pytest.mark.parametrize(
    ("data", "options", "is_outline"),
    [
        ("images of toybox", (), False),
        ("images of toybox", ("--random-weights",), True),
        ("synthetic images of 5 x 5", (), True),
    ],
)
def test_the_printed_estimate_works_without_the_files_that_a_measurement_did_without(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    data: str,
    options: tuple[str, ...],
    is_outline: bool,
) -> None:
    monkeypatch.setattr(measure_pace, "measure_apart", lambda _, **__: make_pace(data=data))
    err = run_command(capsys, "--runs", str(tmp_path), "speed", "pace", TINY, *options).err
    assert f"plan {TINY} --estimate{' --without-files' if is_outline else ''}" in err.splitlines()[-1]
    assert err.rstrip().endswith("--without-files") == is_outline


def test_a_measurement_says_which_row_and_what_it_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(_: PaceRequest, *, observe: Callable[[str, float], None]) -> MeasuredPace:
        observe("training pass 2 of 3", 75.0)
        return make_pace()

    monkeypatch.setattr(measure_pace, "measure_apart", measure)
    monkeypatch.setattr(progress_lines, "LINES_EVERY_S", 0)
    err = run_command(capsys, "--runs", str(tmp_path), "speed", "pace", TINY, "--set", "scale=0.1,0.5").err
    assert "[1/2] Tiny [scale=0.1]: measuring" in err and "[2/2] Tiny [scale=0.5]: measuring" in err
    assert err.count("training pass 2 of 3, 75 s") == 2
