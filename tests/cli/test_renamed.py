"""Former names of commands and options are answered with their current names."""

from __future__ import annotations

import pytest
import typer

from tests.cli.shell import run_command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "chimera_seg", "--limit", "3"), "--limit is now called --max-images"),
        (("submit", "chimera_seg", "--cluster", "debug", "--limit=3"), "--limit is now called --max-images"),
        (("plot", "demo", "--out", "x", "--pictures"), "--pictures is now called --images"),
        (("data", "check", "voc12", "--part", "val"), "--part is now called --subset"),
        (("data", "sheet"), "sheet is now called contact-sheet"),
    ],
)
def test_a_former_name_is_answered_with_the_current_one(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = run_command(capsys, *arguments)
    assert code == 2 and err.endswith(f"Error: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "a", "--runs", "x"), "--runs stands before the command: chimera-bench --runs DIR run ..."),
        (
            ("data", "check", "a", "--data=x"),
            "--data stands before the command: chimera-bench --data DIR data check ...",
        ),
        (
            ("run", "a", "b"),
            "extra argument(s) (b): run takes one name; put one with spaces in quotes, or list several",
        ),
        (("test", "a", "b"), "extra argument(s) (b): test takes one name; put one with spaces in quotes"),
    ],
)
def test_a_misplaced_option_and_a_further_name_are_answered_with_what_is_possible(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = run_command(capsys, *arguments)
    assert code == 2 and message in err


def test_a_former_name_means_nothing_to_a_command_that_never_had_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, "status", "--limit", "3")
    assert code == 2 and "now called" not in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "-1"], "Invalid value for '--seed': '-1': expected a number of at least 0"),
        (["--seed", "x"], "Invalid value for '--seed': 'x': expected a whole number"),
        (["--max-images", "many"], "Invalid value for '--max-images': 'many': expected a whole number"),
    ],
)
def test_an_invalid_value_of_an_option_says_what_was_expected(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = run_command(capsys, "run", "spnet", *options).err
    assert "Input should" not in text
    assert typer.__version__ < "0.29" or message in text
