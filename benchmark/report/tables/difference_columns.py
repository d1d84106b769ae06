"""Columns of the differences from the baseline."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from benchmark.report.tables.cells import format_differences, format_p_values
from benchmark.report.tables.column import Column, TableRow, is_any_known
from benchmark.report.tables.uncertainty import describe_differences, describe_least_p, describe_p_values

if TYPE_CHECKING:
    from pandas import DataFrame


def _get_difference(field: str, table_row: TableRow) -> Any:
    return getattr(table_row.difference.paired, field) if table_row.difference else None


def _get_difference_interval(field: str, table_row: TableRow) -> Any:
    return getattr(table_row.difference.paired.interval, field) if table_row.difference else None


def _get_p_value(table_row: TableRow) -> float | None:
    return table_row.difference.p_adjusted if table_row.difference else None


def _get_is_within_class(table_row: TableRow) -> bool | None:
    return table_row.difference.is_within_class if table_row.difference else None


def _get_pairing(table_row: TableRow) -> str | None:
    """Return how seeds are paired, on several splits all ways that there are."""
    known = table_row.difference
    return None if known is None else ", ".join(dict.fromkeys(paired.pairing for paired in known.on_splits))


def _has_seed_tests(frame: DataFrame) -> bool:
    """Return whether an exact test over seeds suits any row; over splits, a note says if there are too few."""
    is_one_split = frame["splits_done"].isna() if "splits_done" in frame else True
    return bool((frame["least_p"].notna() & is_one_split).any())


DIFFERENCE_COLUMNS: tuple[Column, ...] = (
    Column(
        "hiou_difference",
        partial(_get_difference, "difference"),
        dtype="float64",
        header="ΔhIoU",
        format=format_differences,
        is_shown=partial(is_any_known, key="p_adjusted"),
        note=describe_differences,
    ),
    Column("hiou_difference_low", partial(_get_difference_interval, "low"), dtype="float64"),
    Column("hiou_difference_high", partial(_get_difference_interval, "high"), dtype="float64"),
    Column("hiou_difference_interval_over", partial(_get_difference_interval, "kind")),
    Column("hiou_difference_df", partial(_get_difference_interval, "df"), dtype="float64"),
    Column("hiou_difference_pairing", _get_pairing),
    Column("hiou_difference_caution", partial(_get_difference_interval, "caution")),
    Column("hiou_difference_is_within_class", _get_is_within_class, dtype="boolean"),
    Column(
        "p_adjusted",
        _get_p_value,
        dtype="float64",
        header="p",
        format=partial(format_p_values, "p_adjusted"),
        is_shown=partial(is_any_known, key="p_adjusted"),
        note=describe_p_values,
    ),
    Column("p_value", partial(_get_difference, "p_value"), dtype="float64"),
    Column(
        "least_p",
        partial(_get_difference, "least_p"),
        dtype="float64",
        header="least p",
        format=partial(format_p_values, "least_p"),
        is_shown=_has_seed_tests,
        note=describe_least_p,
    ),
)
"""Columns of the difference in hIoU, its interval and its p values."""
