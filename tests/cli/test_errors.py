"""An error is one line; an unexpected error also writes a traceback to a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.cli.errors import format_message, is_expected
from benchmark.core.budget import Budget
from benchmark.core.split import load_split
from tests.cli.shell import run_command


def catch(fails: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        fails()
    return caught.value


@pytest.mark.parametrize(
    "fails",
    [
        lambda: load_split("toybx"),
        lambda: Path("/nowhere/at/all").read_text(),
        lambda: Budget.model_validate({"iterations": -1}),
    ],
)
def test_errors_with_a_message_for_the_user_are_expected(fails: Callable[[], object]) -> None:
    error = catch(fails)
    assert is_expected(error) and "\n" not in format_message(error)


@pytest.mark.parametrize(
    "fails",
    [lambda: {}["key"], lambda: [][1], lambda: np.zeros(2) + np.zeros(3), lambda: None.x],  # type: ignore[attr-defined]
)
def test_programming_errors_are_not_expected(fails: Callable[[], object]) -> None:
    assert not is_expected(catch(fails))


def test_an_unexpected_error_is_one_line_and_a_traceback_in_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails() -> list[str]:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr("benchmark.cli.studies._list_studies", fails)
    code, _, err = run_command(capsys, "--runs", str(tmp_path), "list")
    log = tmp_path / "crash.log"
    assert code == 1
    assert err == f"error: ZeroDivisionError: a mistake (unexpected; traceback in {log})\n"
    assert "Traceback" in log.read_text() and "chimera-bench --runs" in log.read_text()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SystemExit(3), "SystemExit in test_errors.py:N (fails): it ended the process with exit code 3: a method is "),
        (GeneratorExit("x"), "GeneratorExit in test_errors.py:N (fails): x"),
    ],
)
def test_other_code_does_not_end_a_command_silently(
    error: BaseException, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> list[str]:
        raise error

    monkeypatch.setattr("benchmark.cli.studies._list_studies", fails)
    code, _, err = run_command(capsys, "list")
    assert code == 1
    assert re.sub(r":\d+ ", ":N ", err).startswith(f"error: {message}")


def test_a_crash_is_reported_even_if_no_file_can_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "file"))
    monkeypatch.setattr("benchmark.cli.studies._list_studies", lambda: [][1])
    code, _, err = run_command(capsys, "--runs", str(tmp_path / "file" / "runs"), "list")
    assert code == 1 and "IndexError" in err and "Traceback" in err


@pytest.mark.parametrize("command", [("list",), ("list", "--json")])  # without and with the option parser
def test_an_interrupted_command_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    def interrupt(*_: object) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmark.cli.studies._list_studies", interrupt)
    code, _, err = run_command(capsys, *command)
    assert (code, err) == (130, "interrupted\n")
