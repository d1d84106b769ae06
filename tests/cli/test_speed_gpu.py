"""`speed gpu` and `speed evaluation` on the command line, on a machine without a GPU."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from benchmark.cli.speed import app
from benchmark.execution import measure_devices
from benchmark.execution.measure_devices import Device, SpeedRow
from benchmark.profiling.device_speed import DeviceSpeed
from tests.cli.shell import TINY

ROW = SpeedRow("toybox 64 x 64", "chimera_seg", "toybox", "plain")
SPEED = DeviceSpeed(16, 200.0, 100.0, 31.2, 2048, None, None, None, "stopped: time is up")


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device("NVIDIA A100", True, "2.14", 312.0, 250.0)

    def measure_rows(*_: object, **__: object) -> Iterator[tuple[SpeedRow, DeviceSpeed]]:
        yield ROW, SPEED
        raise KeyboardInterrupt

    monkeypatch.setattr(measure_devices, "describe_device", lambda: device)
    monkeypatch.setattr(measure_devices, "measure_rows", measure_rows)


def test_what_was_measured_before_the_end_is_a_row_of_markdown() -> None:
    lines = CliRunner().invoke(app, ["gpu", "--format", "md"]).stdout.splitlines()
    assert lines[0].startswith("NVIDIA A100, torch 2.14, by `chimera-bench speed gpu --minutes 8`")
    assert "312 TFLOP/s as stated" in lines[1] and len(lines) == 6
    cells = [cell.strip() for cell in lines[-1].split("|")]
    assert cells[5:11] == ["200.0 ms", "100.0 ms", "2.00", "31.2", "10.0%", "2048 MB"]
    assert cells[11:15] == ["-", "-", "-", "stopped: time is up"]


def test_json_has_device_command_and_rows() -> None:
    content = json.loads(CliRunner().invoke(app, ["gpu", "--format", "json", "--minutes", "2"]).stdout)
    assert content["command"] == "chimera-bench speed gpu --minutes 2" and content["device"]["stated_tflops"] == 312
    assert content["rows"][0]["step_ms"] == 200 and content["rows"][0]["images_per_s"] is None


def test_an_interrupt_after_a_row_has_its_exit_code() -> None:
    assert CliRunner().invoke(app, ["gpu"]).exit_code == 130


def test_text_has_a_line_for_every_figure() -> None:
    lines = CliRunner().invoke(app, ["gpu"]).stdout.splitlines()
    assert "of the peak             10.0%" in lines and "times the bare pass     2.00" in lines


def test_evaluation_is_compared_with_a_forward_pass() -> None:
    done = CliRunner().invoke(app, ["evaluation", TINY, "--images", "3", "--json"])
    (row,) = json.loads(done.stdout)
    assert (row["method"], row["image"]) == ("tiny_method/Tiny", "64 x 64") and len(row["bare_ms"]) == 3
