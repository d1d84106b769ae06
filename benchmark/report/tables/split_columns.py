"""Columns of rows over several splits: how many splits there are, and how much the difference changes between them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from benchmark.evaluation.pooling import PooledDifference
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.tables.column import Column, TableRow, is_any_known
from benchmark.report.tables.layout import TableCell
from benchmark.report.tables.numbers import NOTHING, format_score
from benchmark.report.tables.split_notes import count_same_sign, describe_effects

if TYPE_CHECKING:
    from pandas import DataFrame


def _get_pooled(table_row: TableRow) -> PooledDifference | None:
    return None if table_row.difference is None else table_row.difference.pooled


def _get_field(name: str, table_row: TableRow) -> Any:
    pooled = _get_pooled(table_row)
    return None if pooled is None else getattr(pooled, name)


def _get_share_end(index: int, table_row: TableRow) -> float | None:
    pooled = _get_pooled(table_row)
    interval = None if pooled is None or pooled.components is None else pooled.components.share_interval
    return None if interval is None else interval[index]


def _count_compared(table_row: TableRow) -> int | None:
    pooled = _get_pooled(table_row)
    return None if pooled is None else len(pooled.splits)


def _count_same_sign(table_row: TableRow) -> int | None:
    pooled = _get_pooled(table_row)
    return None if pooled is None else count_same_sign(pooled)


def _count_done(table_row: TableRow) -> int | None:
    row = table_row.row
    return len(row.done_members) if isinstance(row, PooledRow) else None


def _count_planned(table_row: TableRow) -> int | None:
    row = table_row.row
    return row.num_splits if isinstance(row, PooledRow) else None


def _format_spreads(frame: DataFrame, digits: int) -> list[TableCell]:
    """Return the standard deviation of the true differences between splits, per row."""
    return [TableCell(_format_known(value, digits=digits)) for value in frame["hiou_difference_split_sd"]]


def _format_shares(frame: DataFrame, _digits: int) -> list[TableCell]:
    """Return the share of the variance that the choice of classes explains with its interval, per row."""
    keys = ("hiou_difference_split_share", "hiou_difference_split_share_low", "hiou_difference_split_share_high")
    cells = []
    for share, low, high in zip(*(100 * frame[key] for key in keys), strict=True):
        cell = (
            TableCell(NOTHING)
            if share != share or high != high
            else TableCell(f"{share:.0f}%", f"[{low:.0f}, {high:.0f}]")
        )
        cells.append(cell)
    return cells


def _format_signs(frame: DataFrame, _digits: int) -> list[TableCell]:
    """Return on how many of the compared splits the difference has the sign of its mean, per row."""
    keys = ("hiou_difference_same_sign", "hiou_difference_splits")
    numbers = zip(*(frame[key].astype(object).where(frame[key].notna(), None) for key in keys), strict=True)
    return [TableCell(NOTHING if total is None else f"{same}/{total}") for same, total in numbers]


def _format_known(value: float, *, digits: int) -> str:
    return NOTHING if value != value else format_score(value, digits=digits)


SPLIT_COLUMNS: tuple[Column, ...] = (
    Column(
        "hiou_difference_same_sign",
        _count_same_sign,
        dtype="Int64",
        header="Sign",
        format=_format_signs,
        is_shown=partial(is_any_known, key="hiou_difference_same_sign"),
        note=describe_effects,
    ),
    Column(
        "hiou_difference_split_sd",
        partial(_get_field, "split_sd"),
        dtype="float64",
        header="Split SD",
        format=_format_spreads,
        is_shown=partial(is_any_known, key="hiou_difference_split_sd"),
    ),
    Column(
        "hiou_difference_split_share",
        partial(_get_field, "split_share"),
        dtype="float64",
        header="Share",
        format=_format_shares,
        is_shown=partial(is_any_known, key="hiou_difference_split_share"),
    ),
    Column("hiou_difference_split_share_low", partial(_get_share_end, 0), dtype="float64"),
    Column("hiou_difference_split_share_high", partial(_get_share_end, 1), dtype="float64"),
    Column("hiou_difference_splits", _count_compared, dtype="Int64"),
    Column("hiou_difference_positive", partial(_get_field, "num_positive"), dtype="Int64"),
    Column("hiou_difference_negative", partial(_get_field, "num_negative"), dtype="Int64"),
    Column("hiou_difference_sign_p", partial(_get_field, "sign_p"), dtype="float64"),
    Column("splits_done", _count_done, dtype="Int64"),
    Column("splits_planned", _count_planned, dtype="Int64"),
)
"""Columns that a table with rows over several splits has behind p."""
