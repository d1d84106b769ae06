"""The program itself: its help by headings, and its version."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest

from benchmark.cli.main import SECTIONS
from tests.cli.shell import run_command


def test_help_lists_every_command_under_its_heading_in_the_order_of_a_day(capsys: pytest.CaptureFixture[str]) -> None:
    out = run_command(capsys, "--help").out
    headings = [line.removesuffix(":") for line in out.splitlines() if re.fullmatch(r"[A-Z].*:", line)]
    assert headings == ["Options", *SECTIONS, "Datasets, weights, measurements"]
    for heading, commands in SECTIONS.items():
        section = out.partition(f"\n{heading}:\n")[2].partition("\n\n")[0]
        names = [line.split()[0] for line in section.splitlines() if re.match(r"  \w", line)]
        assert names[: len(commands)] == list(commands)


def test_the_version_names_commit_python_and_torch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.store.environment.find_commit", lambda: "abc123")
    code, out, _ = run_command(capsys, "--version")
    pattern = (
        rf"chimera-bench \d+\.\d+\.\d+ \(commit abc123\), Python {platform.python_version()}, torch \d+\.\d+\.\d+.*\n"
    )
    assert code == 0 and re.fullmatch(pattern, out)


def test_outside_a_checkout_the_version_names_no_commit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.store.environment.find_commit", lambda: "")
    assert "commit" not in run_command(capsys, "--version").out


def test_printed_commands_repeat_the_data_folder_of_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_DATA", "")
    given = ("--runs", str(tmp_path), "--data", "/no data")
    for command in (("table", "ablations"), ("plan", "maskclip", "--split", "toybox")):
        err = run_command(capsys, *given, *command).err
        assert f"chimera-bench --runs {tmp_path} --data '/no data' run" in err


def test_a_data_folder_of_the_environment_is_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_DATA", "/data")
    assert "--data" not in run_command(capsys, "--runs", str(tmp_path), "table", "ablations").err


def test_commands_in_messages_of_parts_that_know_no_store_are_complete(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHIMERA_BENCH_DATA", "")
    words = ("run", "spnet", "--split", "voc12")
    complete = "chimera-bench --runs r --data d data check voc12"
    assert complete in run_command(capsys, "--runs", "r", "--data", "d", *words).err
    assert complete.replace("--runs r --data d ", "") in run_command(capsys, *words).err
