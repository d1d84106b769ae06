"""Durations as people write and read them."""

from __future__ import annotations

import pytest

from benchmark.utils.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("45min", 2700), ("2h", 7200), ("1.5h", 5400), ("1d12h", 129600), ("1H 5m", 3900)],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "2 hours", "2h3", "-1h", "0s", "1:30"])
def test_a_text_that_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (720, "12 min"), (11100, "3 h 05"), (None, "")])
def test_durations_are_printed_in_the_unit_that_fits(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text
