"""Durations of a compute report, in hours for tables and in words for sentences."""

from __future__ import annotations

HOUR_S = 3600.0
NOT_RECORDED = "-"
NOTHING_S = 0.5
"""Seconds below which a time is shown as 0: starts and ends are recorded in whole seconds."""


def format_hours(seconds: float | None, *, is_least: bool = False) -> str:
    """Format hours for a table, with at least two digits that say something; a dash if they are not recorded."""
    if seconds is None:
        return NOT_RECORDED
    hours = seconds / HOUR_S
    text = f"{hours:.0f}" if hours >= 100 else f"{hours:.2f}" if hours >= 0.1 else f"{hours:.2g}"
    text = text if seconds >= NOTHING_S else "0"
    return f"≥ {text}" if is_least else text


def describe_time(seconds: float) -> str:
    """Describe a duration in a sentence: 45 seconds, 12.5 minutes, 3.1 hours."""
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    minutes = seconds / 60
    return f"{minutes:.1f} minutes" if minutes < 100 else f"{seconds / HOUR_S:.1f} hours"
