"""Cells of a study's table: text formats of the columns of a row frame."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmark.evaluation.scores import Metric
from benchmark.report.differences import AdjustedDifference
from benchmark.report.tables.layout import OTHER_CLASS, OTHER_CLASS_MARK, TableCell
from benchmark.report.tables.numbers import (
    NOTHING,
    choose_time_unit,
    format_difference,
    format_p_value,
    format_score,
    format_spread,
    format_three_digits,
)

if TYPE_CHECKING:
    from pandas import DataFrame, Series

RANK_KEYS = ("hiou_rank", "hiou_rank_low", "hiou_rank_high", "hiou_rank_is_tied")
"""Columns behind the cell of a rank."""
CLASS_KEYS = ("supervision", "training_setting", "vocabulary", "target_images", "group")
"""Columns that rows share if the best of their scores is marked: those of `ProtocolClass.key`, and the group."""


def format_scores(metric: Metric, frame: DataFrame, digits: int) -> list[TableCell]:
    """Return a cell per row; the best of each protocol class is marked, and rows without results say why."""
    is_complete = _find_complete(frame)
    best = _find_best(frame[is_complete], metric, digits=digits)
    cells = []
    for record, is_whole in zip(frame.to_dict("records"), is_complete, strict=True):
        if not record["runs_done"]:
            cells.append(TableCell(record["state"] if metric == "hiou" else NOTHING))
            continue
        cell = format_estimate(record, metric, digits=digits)
        is_best = is_whole and best.get(tuple(record[key] for key in CLASS_KEYS)) == cell.text
        cells.append(TableCell(cell.text, cell.spread, is_best=is_best))
    return cells


def _find_complete(frame: DataFrame) -> Series:
    """Return whether each row has all its runs, on all splits of its group."""
    is_complete = frame["runs_done"] == frame["runs_planned"]
    if "splits_planned" not in frame:
        return is_complete
    return is_complete & (frame["splits_done"].isna() | (frame["splits_done"] == frame["splits_planned"]))


def _find_best(complete: DataFrame, metric: Metric, *, digits: int) -> dict[Any, str]:
    """Return the highest printed score by protocol class and group, if at least two complete rows share both."""
    groups = complete[complete[metric].notna()].groupby(list(CLASS_KEYS))[metric]
    return {key: format_score(scores.max(), digits=digits) for key, scores in groups if len(scores) > 1}


def format_differences(frame: DataFrame, digits: int) -> list[TableCell]:
    """Return the difference to the baseline with its interval, per row."""
    ends = ("hiou_difference", "hiou_difference_low", "hiou_difference_high")
    texts = zip(*([format_difference(value, digits=digits) for value in frame[key]] for key in ends), strict=True)
    known = frame["p_adjusted"].notna()
    cells = [
        TableCell(change, f"[{low}, {high}]") if is_known else TableCell(NOTHING)
        for is_known, (change, low, high) in zip(known, texts, strict=True)
    ]
    return _mark_other_classes(frame, cells)


def format_p_values(key: str, frame: DataFrame, _digits: int) -> list[TableCell]:
    """Return the p value of a column, per row."""
    cells = [TableCell(NOTHING if value != value else format_p_value(value)) for value in frame[key]]
    return _mark_other_classes(frame, cells)


def _mark_other_classes(frame: DataFrame, cells: Sequence[TableCell]) -> list[TableCell]:
    """Return cells of a comparison with the baseline, those of rows of another class than it marked."""
    is_other = frame["hiou_difference_is_within_class"].eq(other=False).fillna(value=False)
    return [
        replace(cell, marks=(OTHER_CLASS_MARK,), state=OTHER_CLASS) if is_one and cell.text != NOTHING else cell
        for cell, is_one in zip(cells, is_other, strict=True)
    ]


def format_ranks(frame: DataFrame, _digits: int) -> list[TableCell]:
    """Return the rank with its interval, per row; tied rows share a rank with an equals sign."""
    cells = []
    fields = (frame[key].astype(object).where(frame[key].notna(), None) for key in RANK_KEYS)
    for rank, low, high, is_tied in zip(*fields, strict=True):
        tie = "=" if is_tied is True else ""
        cells.append(TableCell(NOTHING) if rank is None else TableCell(f"{rank}{tie}", f"[{low}, {high}]"))
    return cells


def format_texts(key: str, frame: DataFrame, _digits: int) -> list[TableCell]:
    """Return the text of a column, per row."""
    return [TableCell(text or NOTHING) for text in frame[key]]


def format_seeds(frame: DataFrame, _digits: int) -> list[TableCell]:
    """Return the number of done runs per row: "5", "3/5" if runs are missing, "1 (det.)" of a deterministic row.

    Over several splits it is that of splits and of seeds, "12 x 5", or "59 on 12" if splits have different numbers.
    """
    splits = _list_numbers(frame, "splits_done")
    counts = zip(frame["runs_done"], frame["runs_planned"], frame["is_deterministic"], splits, strict=True)
    return [
        TableCell(_format_number(done, planned, num_splits, is_deterministic=is_deterministic))
        for done, planned, is_deterministic, num_splits in counts
    ]


def _format_number(done: int, planned: int, num_splits: int | None, *, is_deterministic: bool) -> str:
    if is_deterministic:
        return f"{num_splits or 1} (det.)"
    if done != planned:
        return f"{done}/{planned}"
    if not num_splits:
        return str(done)
    return f"{done} on {num_splits}" if done % num_splits else f"{num_splits} x {done // num_splits}"


def _list_numbers(frame: DataFrame, key: str) -> list[int | None]:
    """Return the whole numbers of a column, None where there is none."""
    if key not in frame:
        return [None] * len(frame)
    return [None if missing else int(value) for value, missing in zip(frame[key], frame[key].isna(), strict=True)]


def format_costs(frame: DataFrame, _digits: int, *, keys: Sequence[str], unit: float) -> list[TableCell]:
    """Return cost figures in a unit per row, three digits each, separated by slashes; a dash for unknown ones.

    Args:
        frame: Row frame.
        keys: Columns of the figures.
        unit: Size of the unit.
    """
    rows = zip(*(frame[key].to_numpy(dtype=float, na_value=float("nan")) / unit for key in keys), strict=True)
    texts = ([NOTHING if value != value else format_three_digits(value) for value in values] for values in rows)
    return [TableCell(NOTHING if set(parts) == {NOTHING} else " / ".join(parts)) for parts in texts]


def find_time_unit(frame: DataFrame) -> tuple[str, float]:
    """Return the unit of training times and its number of seconds."""
    longest = frame["train_seconds"].max()
    return choose_time_unit(0.0 if longest != longest else longest)


def format_train_times(frame: DataFrame, digits: int) -> list[TableCell]:
    """Return the training time per row, in the unit that `find_time_unit` chooses."""
    return format_costs(frame, digits, keys=["train_seconds"], unit=find_time_unit(frame)[1])


def format_estimate(record: Mapping[Hashable, Any], metric: Metric, *, digits: int) -> TableCell:
    """Return the cell of a mean score with its interval.

    Args:
        record: Row of a row frame.
        metric: Score.
        digits: Decimals.
    """
    kind = record[f"{metric}_interval_over"]
    low, high = record[f"{metric}_low"], record[f"{metric}_high"]
    spread = format_spread(low, high, kind=kind, digits=digits) if isinstance(kind, str) else ""
    return TableCell(format_score(record[metric], digits=digits), spread)


def format_change(difference: AdjustedDifference | None, *, digits: int) -> tuple[TableCell, TableCell]:
    """Return the cells of a difference with its interval and of its adjusted p value."""
    if difference is None:
        return TableCell(NOTHING), TableCell(NOTHING)
    interval = difference.paired.interval
    low, high = (format_difference(end, digits=digits) for end in (interval.low, interval.high))
    change = format_difference(difference.paired.difference, digits=digits)
    return TableCell(change, f"[{low}, {high}]"), TableCell(format_p_value(difference.p_adjusted))
