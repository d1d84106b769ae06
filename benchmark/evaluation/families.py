"""Families of comparisons: corrected p values, and whether so few seeds can decide anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np


def adjust_holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust a family of p values (Holm 1979, step-down); their order is kept.

    Raises:
        ValueError: A p value is not between 0 and 1.
    """
    array = np.asarray(p_values, dtype=np.float64)
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"p values must be between 0 and 1, not {[p for p in p_values if not 0 <= p <= 1]}")
    order = np.argsort(array, kind="stable")
    adjusted = np.empty_like(array)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, array[order] * np.arange(len(array), 0, -1)))
    return tuple(adjusted.tolist())


def is_family_decidable(least_ps: Sequence[float | None], *, alpha: float = 0.05) -> bool:
    """Return whether exact tests over the seeds could decide any comparison of a family under Holm.

    Args:
        least_ps: Least p value of each comparison, see `PairedDifference.least_p`; None for one whose seeds take no
            part, which does not limit it.
        alpha: Family-wise level.
    """
    adjusted = adjust_holm([0.0 if p is None else p for p in least_ps])
    return not adjusted or min(adjusted) <= alpha


def explain_undecidable(
    least_ps: Sequence[float | None], *, alpha: float = 0.05, units: Literal["seeds", "splits"] = "seeds"
) -> str:
    """Return the warning that so few seeds, or splits, cannot decide a family; empty if they can.

    Args:
        least_ps: Least p value of each comparison, see `is_family_decidable`.
        alpha: Family-wise level.
        units: Level that the exact tests are over: splits if the comparisons are over several.
    """
    if is_family_decidable(least_ps, alpha=alpha):
        return ""
    size, least = len(least_ps), min(p for p in least_ps if p is not None)
    needed = next(n for n in range(2, 99) if size * 2.0 ** (1 - n) <= alpha)
    family = f"; {size} comparisons need {alpha / size:.2g} under Holm" if size > 1 else ""
    paired = "paired seeds" if units == "seeds" else units
    return (
        f"Too few {units} for an exact test: its p cannot go below {least:.3g}{family}. A p below {alpha:g} rests on "
        f"normally distributed scores over {units}; {needed} {paired} would not need that."
    )
