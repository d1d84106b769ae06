"""Numbers as text: scores, differences, p values, costs."""

from __future__ import annotations

import math

NOTHING = "-"
"""Text of a cell without a value."""


def format_score(value: float, *, digits: int) -> str:
    """Return a score with this many decimals; "n/a" if it is not defined."""
    return "n/a" if math.isnan(value) else f"{value:.{digits}f}"


def format_difference(value: float, *, digits: int) -> str:
    """Return a difference with its sign; no sign if it prints as zero."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def format_p_value(value: float) -> str:
    """Return two decimals, three below 0.1, or "<0.001"; more if a value below 0.05 would print as 0.05."""
    if value < 0.001:
        return "<0.001"
    if value >= 0.1:
        return f"{value:.2f}"
    texts = (f"{value:.{digits}f}" for digits in range(3, 9))
    return next((text for text in texts if value >= 0.05 or float(text) < 0.05), "<0.05")


def format_three_digits(value: float) -> str:
    """Return three significant digits without exponent: 0.123, 1.23, 12.3, 123, 1234."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(decimals, 4)}f}"


def format_spread(low: float, high: float, *, kind: str, digits: int) -> str:
    """Return the interval of a score: ± its half width if it covers the seeds, [low, high] if the images alone."""
    if kind == "images":
        return f"[{low:.{digits}f}, {high:.{digits}f}]"
    return f"±{(high - low) / 2:.{digits}f}"


def choose_time_unit(longest_s: float) -> tuple[str, float]:
    """Return the unit that suits the longest of several times, and its number of seconds."""
    return ("s", 1.0) if longest_s < 120 else ("min", 60.0) if longest_s < 7200 else ("h", 3600.0)
