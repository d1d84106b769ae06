"""Durations as people write and read them: 90s, 45min, 2h, 1d12h."""

from __future__ import annotations

import re

SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
"""Seconds of each unit."""
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as 90s, 45min, 2h, 1.5h or 1d12h.

    Raises:
        ValueError: The text is not a duration above zero, or lacks a unit.
    """
    parts = _PART.findall(text.strip().lower())
    is_complete = _PART.sub("", text.strip().lower()) == ""
    if not parts or not is_complete or not all(unit in SECONDS for _, unit in parts):
        raise ValueError(f"{text!r} is not a duration: give a number with a unit, such as 90s, 45min, 2h or 1d12h")
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if seconds <= 0:
        raise ValueError(f"{text!r} is not a duration above zero")
    return seconds


def format_duration(seconds: float | None) -> str:
    """Format a duration for people: 45 s, 12 min, 3 h 05."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d}"
