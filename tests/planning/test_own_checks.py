"""Errors in the checks of a method's own config name the file, the line and the function."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.planning.resolve import resolve
from tests.planning.files import write_method


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("def check_split(self, split): 1 / 0", "mine: ZeroDivisionError in mine.py:5 (check_split): division by zero"),
        (
            "def check_plan(self, budget): raise ValueError('width must be odd')",
            "mine: ValueError in mine.py:5 (check_plan): width must be odd",
        ),
        ("def check_plan(self, budget): raise SystemExit(3)", "mine: SystemExit in mine.py:5 (check_plan): it ended "),
    ],
)
def test_an_error_in_a_check_is_located(check: str, message: str, tmp_path: Path) -> None:
    path = write_method(tmp_path, config=check)
    with pytest.raises(ValueError) as caught:
        resolve(str(path), split="toybox", seed=0)
    assert str(caught.value).startswith(message)
