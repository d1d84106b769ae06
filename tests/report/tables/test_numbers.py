"""Tests of numbers as text."""

from __future__ import annotations

import pytest

from benchmark.report.tables.numbers import format_p_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.00"),
        (0.25, "0.25"),
        (0.0520, "0.052"),
        (0.05, "0.050"),
        (0.0499, "0.0499"),
        (0.04996, "0.04996"),
        (0.05 - 1e-12, "<0.05"),
        (0.0467, "0.047"),
        (0.001, "0.001"),
        (0.0009, "<0.001"),
    ],
)
def test_a_p_value_shows_its_side_of_the_usual_level(value: float, text: str) -> None:
    assert format_p_value(value) == text
