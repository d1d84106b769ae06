"""Tests of paths that are given as empty texts, which must not become the current folder."""

from __future__ import annotations

import pytest

from tests.cli.shell import run_command


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--runs", "", "status"), "--runs"),
        (("--runs=", "list"), "--runs"),
        (("--data", "", "list"), "--data"),
        (("plot", "demo", "--out", ""), "--out"),
        (("table", "demo", "--out="), "--out"),
        (("archive", "-o", "", "demo"), "-o"),
        (("pretrain", "toy-clip", "--out", ""), "--out"),
        (("data", "check", "toybox", "--root", ""), "--root"),
        (("verify", "demo", "--keep", ""), "--keep"),
    ],
)
def test_an_empty_path_is_refused(words: tuple[str, ...], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = f"error: {name} is '': give a path, or leave the option out\n"
    assert run_command(capsys, *words) == (1, "", error)


@pytest.mark.parametrize("words", [("merge", ""), ("import", "")])
def test_an_empty_path_among_the_arguments_is_refused(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(capsys, *words).err.endswith(" is '': give a path\n")


def test_other_empty_texts_are_not_taken_for_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert "is ''" not in run_command(capsys, "import", "none", "--note", "").err
