"""Columns of a study's table: the one list behind text, Markdown, LaTeX, csv, json and the row frame."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from benchmark.evaluation.scores import Metric
from benchmark.report.differences import AdjustedDifference
from benchmark.report.rows import EvaluationSetting, Row
from benchmark.report.tables.layout import TableCell
from benchmark.report.tables.notes import describe_costs, describe_differences, describe_scores
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
    from pandas import DataFrame

SCORE_HEADERS: dict[Metric, str] = {"miou_seen": "mIoU(S)", "miou_unseen": "mIoU(U)", "hiou": "hIoU"}


class TableRow(NamedTuple):
    """One row of a table with what depends on the other rows.

    Attributes:
        row: Results of the row.
        setting: Setting that all rows share; None if no run is done.
        difference: Difference to the first row; None if it is not shown or not defined.
    """

    row: Row
    setting: EvaluationSetting | None = None
    difference: AdjustedDifference | None = None


def _format_nothing(_frame: DataFrame, _digits: int) -> list[TableCell]:
    return []


def _is_any_known(frame: DataFrame, key: str) -> bool:
    return bool(frame[key].notna().any())


def _describe_nothing(_rows: Sequence[Row], _differences: Sequence[AdjustedDifference | None]) -> list[str]:
    return []


@dataclass(frozen=True)
class Column:
    """A column of the row frame, and its printed form if it has one.

    Attributes:
        key: Name of the column in the row frame, csv and json.
        value: Function from a table row to the value; None if the value is not defined.
        dtype: Type of the column in pandas.
        header: Header in printed tables; empty if the column is not printed. A function if it depends on the frame.
        format: Function from the row frame and the decimals of scores to one cell per row.
        is_text: Whether the cells hold text (aligned left) and not numbers (aligned right).
        is_shown: Function from the row frame to whether the column is printed.
        note: Function from rows and differences to the notes that explain the column.
    """

    key: str
    value: Callable[[TableRow], Any]
    dtype: Literal["str", "Int64", "float64"] = "str"
    header: str | Callable[[DataFrame], str] = ""
    format: Callable[[DataFrame, int], list[TableCell]] = _format_nothing
    is_text: bool = False
    is_shown: Callable[[DataFrame], bool] = lambda _frame: True
    note: Callable[[Sequence[Row], Sequence[AdjustedDifference | None]], list[str]] = _describe_nothing

    def find_header(self, frame: DataFrame) -> str:
        """Return the header in a printed table; empty if the column is not printed."""
        if not self.header or not self.is_shown(frame):
            return ""
        return self.header if isinstance(self.header, str) else self.header(frame)


def build_row_frame(rows: Sequence[TableRow]) -> DataFrame:
    """Return the rows of a table as a data frame: one row per table row, the keys of `COLUMNS` as columns."""
    from pandas import DataFrame, Series

    columns = {column.key: Series([column.value(row) for row in rows], dtype=column.dtype) for column in COLUMNS}
    return DataFrame(columns)


def format_estimate(record: Mapping[Hashable, Any], metric: Metric, *, digits: int) -> TableCell:
    """Return the cell of a mean score with its interval.

    Args:
        record: Row of a row frame.
        metric: Score.
        digits: Decimals.
    """
    source = record[f"{metric}_interval_over"]
    low, high = record[f"{metric}_low"], record[f"{metric}_high"]
    spread = format_spread(low, high, source=source, digits=digits) if isinstance(source, str) else ""
    return TableCell(format_score(record[metric], digits=digits), spread)


def format_change(difference: AdjustedDifference | None, *, digits: int) -> tuple[TableCell, TableCell]:
    """Return the cells of a difference with its interval and of its adjusted p value."""
    if difference is None:
        return TableCell(NOTHING), TableCell(NOTHING)
    interval = difference.paired.interval
    low, high = (format_difference(end, digits=digits) for end in (interval.low, interval.high))
    change = format_difference(difference.paired.difference, digits=digits)
    return TableCell(change, f"[{low}, {high}]"), TableCell(format_p_value(difference.p_adjusted))


def _score_columns(metric: Metric, *, note: bool) -> tuple[Column, ...]:
    """Return the columns of a mean score and its interval."""

    def mean(table_row: TableRow) -> float | None:
        estimate = table_row.row.estimates.get(metric)
        return estimate.mean if estimate else None

    def interval(table_row: TableRow, *, name: str) -> Any:
        estimate = table_row.row.estimates.get(metric)
        return getattr(estimate.interval, name) if estimate and estimate.interval else None

    return (
        Column(
            metric,
            mean,
            dtype="float64",
            header=SCORE_HEADERS[metric],
            format=partial(_format_scores, metric),
            note=describe_scores if note else _describe_nothing,
        ),
        Column(f"{metric}_low", partial(interval, name="low"), dtype="float64"),
        Column(f"{metric}_high", partial(interval, name="high"), dtype="float64"),
        Column(f"{metric}_interval_over", partial(interval, name="kind")),
    )


def _format_scores(metric: Metric, frame: DataFrame, digits: int) -> list[TableCell]:
    """Return a cell per row; the best of each kind of supervision is marked, and rows without results say why."""
    best = _find_best(frame, metric, digits=digits)
    cells = []
    for record in frame.to_dict("records"):
        if not record["runs_done"]:
            cells.append(TableCell(record["state"] if metric == "hiou" else NOTHING))
            continue
        cell = format_estimate(record, metric, digits=digits)
        is_complete = record["runs_done"] == record["runs_planned"]
        is_best = is_complete and best.get(record["supervision"]) == cell.text
        cells.append(TableCell(cell.text, cell.spread, is_best=is_best))
    return cells


def _find_best(frame: DataFrame, metric: Metric, *, digits: int) -> dict[str, str]:
    """Return the highest printed score of each kind of supervision that at least two complete rows have."""
    complete = frame[(frame["runs_done"] == frame["runs_planned"]) & frame[metric].notna()]
    groups = complete.groupby("supervision")[metric]
    return {str(kind): format_score(scores.max(), digits=digits) for kind, scores in groups if len(scores) > 1}


def _difference_columns() -> tuple[Column, ...]:
    """Return the columns of the difference of hIoU to the first row, its interval and its p value."""

    def paired(table_row: TableRow, *, name: str) -> Any:
        return getattr(table_row.difference.paired, name) if table_row.difference else None

    def interval(table_row: TableRow, *, name: str) -> Any:
        return getattr(table_row.difference.paired.interval, name) if table_row.difference else None

    def p_adjusted(table_row: TableRow) -> float | None:
        return table_row.difference.p_adjusted if table_row.difference else None

    is_shown = partial(_is_any_known, key="p_adjusted")
    return (
        Column(
            "hiou_difference",
            partial(paired, name="difference"),
            dtype="float64",
            header="ΔhIoU",
            format=_format_differences,
            is_shown=is_shown,
            note=describe_differences,
        ),
        Column("hiou_difference_low", partial(interval, name="low"), dtype="float64"),
        Column("hiou_difference_high", partial(interval, name="high"), dtype="float64"),
        Column("hiou_difference_interval_over", partial(interval, name="kind")),
        Column("p_adjusted", p_adjusted, dtype="float64", header="p", format=_format_p_values, is_shown=is_shown),
    )


def _format_differences(frame: DataFrame, digits: int) -> list[TableCell]:
    ends = ("hiou_difference", "hiou_difference_low", "hiou_difference_high")
    texts = zip(*([format_difference(value, digits=digits) for value in frame[key]] for key in ends), strict=True)
    known = frame["p_adjusted"].notna()
    return [
        TableCell(change, f"[{low}, {high}]") if is_known else TableCell(NOTHING)
        for is_known, (change, low, high) in zip(known, texts, strict=True)
    ]


def _format_p_values(frame: DataFrame, _digits: int) -> list[TableCell]:
    return [TableCell(NOTHING if value != value else format_p_value(value)) for value in frame["p_adjusted"]]


def _format_texts(key: str, frame: DataFrame, _digits: int) -> list[TableCell]:
    return [TableCell(text or NOTHING) for text in frame[key]]


def _format_seeds(frame: DataFrame, _digits: int) -> list[TableCell]:
    """Return "5", or "3/5" if runs are missing."""
    pairs = zip(frame["runs_done"], frame["runs_planned"], strict=True)
    return [TableCell(str(done) if done == planned else f"{done}/{planned}") for done, planned in pairs]


def _cost_column(key: str, *, dtype: Literal["Int64", "float64"], **printed: Any) -> Column:
    def cost(table_row: TableRow) -> Any:
        return getattr(table_row.row.cost, key, None)

    return Column(key, cost, dtype=dtype, is_shown=partial(_is_any_known, key=key), **printed)


def _format_costs(frame: DataFrame, _digits: int, *, keys: Sequence[str], unit: float) -> list[TableCell]:
    """Return figures in a unit, three digits each, separated by slashes."""
    rows = zip(*(frame[key].to_numpy(dtype=float, na_value=float("nan")) / unit for key in keys), strict=True)
    is_known = frame[keys[0]].notna()
    texts = (
        " / ".join(format_three_digits(value) for value in values) if known else NOTHING
        for known, values in zip(is_known, rows, strict=True)
    )
    return [TableCell(text) for text in texts]


def _find_time_unit(frame: DataFrame) -> tuple[str, float]:
    longest = frame["train_seconds"].max()
    return choose_time_unit(0.0 if longest != longest else longest)


def _format_train_times(frame: DataFrame, digits: int) -> list[TableCell]:
    return _format_costs(frame, digits, keys=["train_seconds"], unit=_find_time_unit(frame)[1])


def _setting_column(key: str, *, dtype: Literal["str", "Int64"] = "str") -> Column:
    return Column(key, lambda table_row: getattr(table_row.setting, key, None), dtype=dtype)


def _join_problems(table_row: TableRow) -> str:
    return "; ".join(f"seed {run.seed}: {run.problem}" for run in table_row.row.runs if run.problem)


COLUMNS: tuple[Column, ...] = (
    Column(
        "label",
        lambda table_row: table_row.row.label,
        header="Method",
        format=partial(_format_texts, "label"),
        is_text=True,
    ),
    Column("method", lambda table_row: table_row.row.method),
    Column("title", lambda table_row: table_row.row.title),
    Column(
        "supervision",
        lambda table_row: table_row.row.supervision,
        header="Supervision",
        format=partial(_format_texts, "supervision"),
        is_text=True,
        is_shown=lambda frame: len(set(frame["supervision"]) - {""}) > 1,
    ),
    Column("reconstruction", lambda table_row: table_row.row.reconstruction),
    Column("state", lambda table_row: table_row.row.state.value),
    *_score_columns("miou_seen", note=True),
    *_score_columns("miou_unseen", note=False),
    *_score_columns("hiou", note=False),
    Column(
        "runs_done",
        lambda table_row: len(table_row.row.done),
        dtype="Int64",
        header="n",
        format=_format_seeds,
    ),
    Column("runs_planned", lambda table_row: len(table_row.row.runs), dtype="Int64"),
    *_difference_columns(),
    _cost_column(
        "trainable_parameters",
        dtype="Int64",
        header="Params (M)",
        format=partial(_format_costs, keys=["trainable_parameters", "total_parameters"], unit=1e6),
        note=describe_costs,
    ),
    _cost_column("total_parameters", dtype="Int64"),
    _cost_column(
        "inference_flops",
        dtype="Int64",
        header="GFLOPs",
        format=partial(_format_costs, keys=["inference_flops"], unit=1e9),
    ),
    _cost_column("training_flops", dtype="Int64"),
    _cost_column(
        "train_seconds",
        dtype="float64",
        header=lambda frame: f"Train ({_find_time_unit(frame)[0]})",
        format=_format_train_times,
    ),
    _cost_column(
        "latency_ms", dtype="float64", header="Test (ms)", format=partial(_format_costs, keys=["latency_ms"], unit=1)
    ),
    _cost_column("peak_memory_mb", dtype="float64"),
    _setting_column("split"),
    _setting_column("split_digest"),
    _setting_column("protocol"),
    _setting_column("protocol_digest"),
    _setting_column("dataset_fingerprint"),
    _setting_column("max_images", dtype="Int64"),
    Column("convention", lambda table_row: table_row.row.convention),
    Column("gamma", lambda table_row: table_row.row.gamma, dtype="float64"),
    Column("run_ids", lambda table_row: " ".join(run.run_id for run in table_row.row.runs)),
    Column("stale", lambda table_row: " ".join(run.run_id for run in table_row.row.runs if run.is_stale)),
    Column("problems", _join_problems),
)
"""All columns, in the order of csv, json and printed tables."""
