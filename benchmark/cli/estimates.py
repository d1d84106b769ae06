"""Estimated hours of the runs of a plan, printed and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmark.cli.console import format_count, print_columns, print_line

if TYPE_CHECKING:
    from benchmark.planning.estimate import Pace, RowEstimate

LARGE_SCALE = 10
"""Size of a run over that of the measured ones from which on an estimate says so."""
UNMEASURED = "not measured"
MANY_SPLITS = 3
"""Number of splits from which on rows are not named one by one."""


def print_estimates(rows: Sequence[RowEstimate]) -> None:
    """Print hours per row and in total, what they are measured from, and which rows have no measurement."""
    from benchmark.planning.estimate import sum_hours

    has_splits = len({row.split for row in rows}) > 1
    heads = [*(["split"] if has_splits else []), "row", "runs", "left", "s per run", "hours", "hours left", "unit"]
    print_columns(heads, [[*([row.split] if has_splits else []), *_list_cells(row)] for row in rows])
    for unit, (hours, left) in sum_hours(rows).items():
        print_line(f"{_format_hours(hours)} {unit} in total, {_format_hours(left)} left")
    for pace in dict.fromkeys(row.pace for row in rows if row.pace is not None):
        print_line(_describe_pace(pace, [row for row in rows if row.pace == pace], has_splits=has_splits))
    unmeasured = _name_rows([row for row in rows if row.pace is None], has_splits=has_splits)
    if unmeasured:
        print_line(
            f"{UNMEASURED}, and in no total: {', '.join(unmeasured)}; no run of these variants is finished here on "
            "this data, protocol and engine: run one seed of each first"
        )


def describe_estimates(rows: Sequence[RowEstimate]) -> dict[str, Any]:
    """Return estimates as JSON values; None for what was not measured."""
    from benchmark.planning.estimate import sum_hours

    has_splits = len({row.split for row in rows}) > 1
    return {
        "rows": [_describe_row(row) for row in rows],
        "totals": {unit: {"hours": hours, "hours_left": left} for unit, (hours, left) in sum_hours(rows).items()},
        "not_measured": _name_rows([row for row in rows if row.pace is None], has_splits=has_splits),
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
    if row.pace is None or row.seconds is None:
        return [row.label, str(row.runs), str(row.left), UNMEASURED, "-", "-", "-"]
    hours = [_format_hours(row.compute_hours(count)) for count in (row.runs, row.left)]
    return [row.label, str(row.runs), str(row.left), f"{row.seconds:.3g}", *hours, row.pace.unit]


def _describe_row(row: RowEstimate) -> dict[str, Any]:
    pace = row.pace
    known = {"label": row.label, "split": row.split, "runs": row.runs, "runs_left": row.left}
    measured = (
        None
        if pace is None
        else {
            "runs": list(pace.ids),
            "has_same_config": pace.has_same_config,
            "device": pace.device,
            "threads": pace.threads,
            "seconds_per_training_image": pace.train_s,
            "seconds_per_scored_image": pace.rest_s,
            "scale": row.scale,
        }
    )
    return known | {
        "seconds_per_run": row.seconds,
        "hours": row.compute_hours(row.runs),
        "hours_left": row.compute_hours(row.left),
        "unit": None if pace is None else pace.unit,
        "measured": measured,
    }


def _describe_pace(pace: Pace, rows: Sequence[RowEstimate], *, has_splits: bool) -> str:
    """Return one line about the runs that some rows are estimated from."""
    from benchmark.store.row_labels import shorten_id

    some = ", ".join(shorten_id(run_id) for run_id in pace.ids[:3]) + (", …" if len(pace.ids) > 3 else "")
    likeness = "" if pace.has_same_config else " of the variant with other settings"
    scale = max(row.scale or 0.0 for row in rows)
    note = f"; runs of the plan are up to {scale:.0f} times as long" if scale > LARGE_SCALE else ""
    names = ", ".join(_name_rows(rows, has_splits=has_splits))
    return (
        f"measured for {names}: {format_count(len(pace.ids), 'run')}{likeness} on "
        f"{pace.device}, {format_count(pace.threads, 'thread')} ({some}){note}"
    )


def _format_hours(hours: float | None) -> str:
    return "-" if hours is None else f"{hours:.3g}"
