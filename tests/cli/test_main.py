"""The program itself: its help by headings, and its version."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from benchmark.cli.main import SECTIONS, app
from benchmark.utils.paths import ROOT
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
    monkeypatch.setattr("benchmark.store.environment.find_commit", lambda: "a" * 40)
    code, out, _ = run_command(capsys, "--version")
    own = rf"chimera-bench \d+\.\d+\.\d+ \(commit {'a' * 40}\)"
    pattern = rf"{own}\nPython {platform.python_version()}, torch \d+\.\d+\.\d+.*\n"
    assert code == 0 and re.fullmatch(pattern, out) and max(map(len, out.splitlines())) <= 80


def _list_commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of a command and of all commands in it."""
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from _list_commands(inner, (*words, name))


@pytest.mark.parametrize("words", tuple(_list_commands(get_command(app))), ids=" ".join)
def test_the_help_of_every_command_fits_80_columns(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run_command(capsys, *words, "--help").out.splitlines()
    assert lines and [line for line in lines if len(line) > 80 and str(ROOT) not in line] == []


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
    assert run_command(capsys, "--runs", "r", "--data", "d", *words).err.endswith(f"{complete}\n")  # one folder
    monkeypatch.setenv("CHIMERA_BENCH_DATA", "")
    assert f"{complete.replace('--runs r --data d ', '')} --root DIR" in run_command(capsys, *words).err
