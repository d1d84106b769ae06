"""Arithmetic on printed numbers, which stand for every number that is rounded to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

ROUNDING_SLACK = 1e-9
"""Points that floating-point arithmetic may add to a difference."""


class NumberRange(NamedTuple):
    """Range of the numbers that a printed number may stand for."""

    low: float
    high: float

    def overlaps(self, other: NumberRange) -> bool:
        """Return whether one number may be in both ranges."""
        return self.low <= other.high + ROUNDING_SLACK and other.low <= self.high + ROUNDING_SLACK


def make_range(value: float, half_unit: float) -> NumberRange:
    """Return the range of the numbers that are rounded to a printed one.

    Args:
        value: Printed number.
        half_unit: Half a unit in the last printed place.
    """
    return NumberRange(max(value - half_unit, 0.0), value + half_unit)


def compute_hiou(seen: float, unseen: float) -> float:
    """Return the harmonic mean 2SU/(S+U) of two scores; 0 if both are 0."""
    return 2 * seen * unseen / (seen + unseen) if seen + unseen > 0 else 0.0


def bound_hiou(seen: NumberRange, unseen: NumberRange) -> NumberRange:
    """Return the range of the harmonic mean, which grows with both scores."""
    return NumberRange(compute_hiou(seen.low, unseen.low), compute_hiou(seen.high, unseen.high))


def bound_mean(parts: Sequence[NumberRange]) -> NumberRange:
    """Return the range of the mean of one number or more."""
    return NumberRange(sum(part.low for part in parts) / len(parts), sum(part.high for part in parts) / len(parts))
