"""Estimated hours and memory of the runs of a plan, printed and as JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmark.cli.console import print_columns, print_line

if TYPE_CHECKING:
    from benchmark.planning.estimate import RowEstimate
    from benchmark.planning.run_time import RunTime

UNKNOWN = "not measured"
MANY_SPLITS = 3
"""Number of splits from which on rows are not named one by one."""
SMALLEST = 0.001
"""Smallest number that is printed; smaller ones are too uncertain for digits."""
HEADS = ("row", "runs", "left", "s per run", "hours", "hours left", "unit", "memory", "basis")


def parse_memory_gb(text: str) -> float:
    """Return the number of GB that a text such as "80GB" or "80" stands for.

    Raises:
        ValueError: The text is something else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:GB|GiB|G)?", text.strip(), flags=re.IGNORECASE)
    if match is None or not float(match[1]):
        raise ValueError(f"--device-memory {text}: expected a size in GB, such as 80GB")
    return float(match[1])


def print_estimates(rows: Sequence[RowEstimate]) -> None:
    """Print hours and memory per row, hours in total, what they are based on, and which rows have no estimate."""
    from benchmark.planning.estimate import sum_hours

    has_splits = len({row.split for row in rows}) > 1
    heads = [*(["split"] if has_splits else []), *HEADS]
    print_columns(heads, [[*([row.split] if has_splits else []), *_list_cells(row)] for row in rows])
    left = sum_hours(rows, only_left=True)
    for unit, hours in sum_hours(rows).items():
        print_line(f"{format_range(hours)} {unit} in total, {format_range(left[unit])} left")
    explained = [(row.time.kind, row.time.explanation) for row in rows if row.time is not None]
    for kind, explanation in dict.fromkeys(explained):
        alike = [row for row in rows if row.time is not None and row.time.explanation == explanation]
        print_line(f"{kind} for {', '.join(_name_rows(alike, has_splits=has_splits))}: {explanation}")
    unknown = _name_rows([row for row in rows if row.time is None], has_splits=has_splits)
    if unknown:
        print_line(
            f"{UNKNOWN}, and in no total: {', '.join(unknown)}; no run of these variants is finished here on this "
            "data, protocol and engine, and no pace is measured with this code: chimera-bench speed pace measures it"
        )


def describe_estimates(rows: Sequence[RowEstimate]) -> dict[str, Any]:
    """Return estimates as JSON values; None for what was not measured. A computed value is a range."""
    from benchmark.planning.estimate import sum_hours

    has_splits, left = len({row.split for row in rows}) > 1, sum_hours(rows, only_left=True)
    return {
        "rows": [_describe_row(row) for row in rows],
        "totals": {
            unit: {"hours": _get_value(hours), "hours_left": _get_value(left[unit])}
            for unit, hours in sum_hours(rows).items()
        },
        "not_measured": _name_rows([row for row in rows if row.time is None], has_splits=has_splits),
    }


def _name_rows(rows: Sequence[RowEstimate], *, has_splits: bool) -> list[str]:
    """Return the labels of rows, with their split if there are several; on many splits, a label with their number."""
    splits: dict[str, list[str]] = {}
    for row in rows:
        splits.setdefault(row.label, []).append(row.split)
    if not has_splits:
        return list(splits)
    places = {label: names if len(names) < MANY_SPLITS else [f"{len(names)} splits"] for label, names in splits.items()}
    return [f"{label} on {place}" for label, names in places.items() for place in names]


def _list_cells(row: RowEstimate) -> list[str]:
    counts, time = [row.label, str(row.runs), str(row.left)], row.time
    if time is None:
        return [*counts, UNKNOWN, "-", "-", "-", "-", "-"]
    hours = [format_range(time.compute_hours(count)) for count in (row.runs, row.left)]
    return [*counts, format_range(time.seconds), *hours, time.unit, _format_memory(time), time.basis]


def _describe_row(row: RowEstimate) -> dict[str, Any]:
    known, time = {"label": row.label, "split": row.split, "runs": row.runs, "runs_left": row.left}, row.time
    if time is None:
        names = ("seconds_per_run", "hours", "hours_left", "unit", "memory_gb", "basis", "measured")
        return known | dict.fromkeys(names)
    return known | {
        "seconds_per_run": _get_value(time.seconds),
        "hours": _get_value(time.compute_hours(row.runs)),
        "hours_left": _get_value(time.compute_hours(row.left)),
        "unit": time.unit,
        "memory_gb": None if time.memory_gb is None else _get_value(time.memory_gb),
        "verdict": time.verdict,
        "kind": time.kind,
        "basis": time.basis,
        "explanation": time.explanation,
        "measured": time.facts,
    }


def _get_value(ends: tuple[float, float]) -> float | list[float]:
    """Return a value, or both ends of a range."""
    return ends[0] if ends[0] == ends[1] else list(ends)


def _format_memory(time: RunTime) -> str:
    if time.memory_gb is None:
        return "-"
    return ", ".join(filter(None, (f"{format_range(time.memory_gb)} GB", time.verdict)))


def format_range(ends: tuple[float, float]) -> str:
    """Format a number, or both ends of a range, with three digits."""
    low, high = (_format_number(end) for end in ends)
    return low if low == high else f"{low} to {high}"


def _format_number(number: float) -> str:
    if 0 < number < SMALLEST:
        return f"< {SMALLEST:g}"
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"
