"""Columns of a study's table: the one list behind text, Markdown, LaTeX, csv, json and the row frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from benchmark.evaluation.ranks import RowRank
from benchmark.evaluation.scores import METRICS, Metric
from benchmark.report.differences import AdjustedDifference
from benchmark.report.rows import TABLE_METRICS, Row
from benchmark.report.settings import EvaluationSetting
from benchmark.report.study_results import StudyResults
from benchmark.report.tables.cells import (
    find_time_unit,
    format_costs,
    format_differences,
    format_p_values,
    format_ranks,
    format_scores,
    format_seeds,
    format_texts,
    format_train_times,
)
from benchmark.report.tables.headers import SCORE_HEADERS
from benchmark.report.tables.layout import TableCell
from benchmark.report.tables.notes import describe_costs
from benchmark.report.tables.uncertainty import (
    describe_differences,
    describe_groups,
    describe_least_p,
    describe_metric,
    describe_p_values,
    describe_ranks,
    describe_runs,
)

if TYPE_CHECKING:
    from pandas import DataFrame


class TableRow(NamedTuple):
    """One row of a table with what depends on the other rows.

    Attributes:
        row: Results of the row.
        setting: Setting of the row's group; None if no run of the group is done.
        group: Name of the row's group, see `study_results.RowGroup`.
        difference: Difference to the baseline; None if it is not defined.
        rank: Rank of the row; None if it has none.
    """

    row: Row
    setting: EvaluationSetting | None = None
    group: str = ""
    difference: AdjustedDifference | None = None
    rank: RowRank | None = None


def _format_nothing(_frame: DataFrame, _digits: int) -> list[TableCell]:
    return []


def _is_any_known(frame: DataFrame, key: str) -> bool:
    return bool(frame[key].notna().any())


def _describe_nothing(_results: StudyResults) -> list[str]:
    return []


@dataclass(frozen=True)
class Column:
    """A column of the row frame, and its printed form if it has one.

    Attributes:
        key: Name of the column in the row frame, csv and json.
        value: Function from a table row to the value; None if the value is not defined.
        dtype: Type of the column in pandas.
        header: Header in printed tables; empty if the column is never printed. A function if it depends on the frame.
        format: Function from the row frame and the decimals of scores to one cell per row.
        is_text: Whether the cells hold text (aligned left) and not numbers (aligned right).
        is_shown: Function from the row frame to whether the column is printed if no columns are selected.
        note: Function from the results to the notes that explain the column.
    """

    key: str
    value: Callable[[TableRow], Any]
    dtype: Literal["str", "Int64", "float64", "boolean"] = "str"
    header: str | Callable[[DataFrame], str] = ""
    format: Callable[[DataFrame, int], list[TableCell]] = _format_nothing
    is_text: bool = False
    is_shown: Callable[[DataFrame], bool] = lambda _frame: True
    note: Callable[[StudyResults], list[str]] = _describe_nothing

    def find_header(self, frame: DataFrame) -> str:
        """Return the header in a printed table; empty if the column is never printed."""
        return self.header if isinstance(self.header, str) else self.header(frame)


def build_row_frame(rows: Sequence[TableRow], columns: Sequence[Column]) -> DataFrame:
    """Return the rows of a table as a data frame: one row per table row, the keys of the columns as columns."""
    from pandas import DataFrame, Series

    return DataFrame(
        {column.key: Series([column.value(row) for row in rows], dtype=column.dtype) for column in columns}
    )


def _make_score_columns(metric: Metric, **printed: Any) -> tuple[Column, ...]:
    """Return the columns of a mean score and its interval."""
    fields = {name: partial(_get_interval, metric, name) for name in ("low", "high", "kind", "df", "caution")}
    formatted = partial(format_scores, metric)
    return (
        Column(
            metric,
            partial(_get_mean, metric),
            dtype="float64",
            header=SCORE_HEADERS[metric],
            format=formatted,
            **printed,
        ),
        Column(f"{metric}_low", fields["low"], dtype="float64"),
        Column(f"{metric}_high", fields["high"], dtype="float64"),
        Column(f"{metric}_interval_over", fields["kind"]),
        Column(f"{metric}_df", fields["df"], dtype="float64"),
        Column(f"{metric}_caution", fields["caution"]),
    )


def _make_cost_column(
    key: str, *, dtype: Literal["Int64", "float64"], is_default: bool = True, **printed: Any
) -> Column:
    """Return the column of a cost figure; a default one is printed if any row has the figure."""

    def is_shown(frame: DataFrame) -> bool:
        return is_default and _is_any_known(frame, key)

    return Column(
        key, lambda table_row: getattr(table_row.row.cost, key, None), dtype=dtype, is_shown=is_shown, **printed
    )


def _make_setting_column(key: str, *, dtype: Literal["str", "Int64"] = "str") -> Column:
    return Column(key, lambda table_row: getattr(table_row.setting, key, None), dtype=dtype)


def _get_mean(metric: Metric, table_row: TableRow) -> float | None:
    estimate = table_row.row.estimates.get(metric)
    return estimate.mean if estimate else None


def _get_interval(metric: Metric, field: str, table_row: TableRow) -> Any:
    estimate = table_row.row.estimates.get(metric)
    return getattr(estimate.interval, field) if estimate and estimate.interval else None


def _get_difference(field: str, table_row: TableRow) -> Any:
    return getattr(table_row.difference.paired, field) if table_row.difference else None


def _get_difference_interval(field: str, table_row: TableRow) -> Any:
    return getattr(table_row.difference.paired.interval, field) if table_row.difference else None


def _get_p_value(table_row: TableRow) -> float | None:
    return table_row.difference.p_adjusted if table_row.difference else None


def _get_rank(field: str, table_row: TableRow) -> Any:
    return getattr(table_row.rank, field) if table_row.rank else None


def _join_problems(table_row: TableRow) -> str:
    return "; ".join(f"seed {run.seed}: {run.problem}" for run in table_row.row.runs if run.problem)


COLUMNS: tuple[Column, ...] = (
    Column(
        "label",
        lambda table_row: table_row.row.label,
        header="Method",
        format=partial(format_texts, "label"),
        is_text=True,
    ),
    Column(
        "group",
        lambda table_row: table_row.group,
        header="Split",
        format=partial(format_texts, "group"),
        is_text=True,
        is_shown=lambda frame: len(set(frame["group"])) > 1,
        note=describe_groups,
    ),
    Column("method", lambda table_row: table_row.row.method),
    Column("title", lambda table_row: table_row.row.title),
    Column(
        "supervision",
        lambda table_row: table_row.row.supervision,
        header="Supervision",
        format=partial(format_texts, "supervision"),
        is_text=True,
        is_shown=lambda frame: len(set(frame["supervision"]) - {""}) > 1,
    ),
    Column("reconstruction", lambda table_row: table_row.row.reconstruction),
    Column("state", lambda table_row: table_row.row.state.value),
    *_make_score_columns("miou_seen"),
    *_make_score_columns("miou_unseen"),
    *_make_score_columns("hiou"),
    Column(
        "runs_done",
        lambda table_row: len(table_row.row.done),
        dtype="Int64",
        header="n",
        format=format_seeds,
        note=describe_runs,
    ),
    Column("runs_planned", lambda table_row: len(table_row.row.runs), dtype="Int64"),
    Column("is_imported", lambda table_row: table_row.row.is_imported, dtype="boolean"),
    Column("is_deterministic", lambda table_row: table_row.row.is_deterministic, dtype="boolean"),
    Column(
        "hiou_difference",
        partial(_get_difference, "difference"),
        dtype="float64",
        header="ΔhIoU",
        format=format_differences,
        is_shown=partial(_is_any_known, key="p_adjusted"),
        note=describe_differences,
    ),
    Column("hiou_difference_low", partial(_get_difference_interval, "low"), dtype="float64"),
    Column("hiou_difference_high", partial(_get_difference_interval, "high"), dtype="float64"),
    Column("hiou_difference_interval_over", partial(_get_difference_interval, "kind")),
    Column("hiou_difference_df", partial(_get_difference_interval, "df"), dtype="float64"),
    Column("hiou_difference_pairing", partial(_get_difference, "pairing")),
    Column("hiou_difference_caution", partial(_get_difference_interval, "caution")),
    Column(
        "p_adjusted",
        _get_p_value,
        dtype="float64",
        header="p",
        format=partial(format_p_values, "p_adjusted"),
        is_shown=partial(_is_any_known, key="p_adjusted"),
        note=describe_p_values,
    ),
    Column("p_value", partial(_get_difference, "p_value"), dtype="float64"),
    Column(
        "least_p",
        partial(_get_difference, "least_p"),
        dtype="float64",
        header="least p",
        format=partial(format_p_values, "least_p"),
        is_shown=partial(_is_any_known, key="least_p"),
        note=describe_least_p,
    ),
    _make_cost_column(
        "trainable_parameters",
        dtype="Int64",
        header="Params (M)",
        format=partial(format_costs, keys=["trainable_parameters", "total_parameters"], unit=1e6),
        note=describe_costs,
    ),
    _make_cost_column("total_parameters", dtype="Int64"),
    _make_cost_column(
        "inference_flops",
        dtype="Int64",
        header="GFLOPs",
        format=partial(format_costs, keys=["inference_flops"], unit=1e9),
    ),
    _make_cost_column(
        "training_flops",
        dtype="Int64",
        is_default=False,
        header="Train GFLOPs",
        format=partial(format_costs, keys=["training_flops"], unit=1e9),
    ),
    _make_cost_column(
        "train_seconds",
        dtype="float64",
        header=lambda frame: f"Train ({find_time_unit(frame)[0]})",
        format=format_train_times,
    ),
    _make_cost_column(
        "latency_ms", dtype="float64", header="Test (ms)", format=partial(format_costs, keys=["latency_ms"], unit=1)
    ),
    _make_cost_column(
        "peak_memory_mb",
        dtype="float64",
        is_default=False,
        header="Memory (MB)",
        format=partial(format_costs, keys=["peak_memory_mb"], unit=1),
    ),
    Column("split", lambda table_row: table_row.row.split),
    _make_setting_column("split_digest"),
    _make_setting_column("protocol"),
    _make_setting_column("protocol_digest"),
    _make_setting_column("dataset_fingerprint"),
    _make_setting_column("max_images", dtype="Int64"),
    Column("convention", lambda table_row: table_row.row.convention),
    Column("gamma", lambda table_row: table_row.row.gamma, dtype="float64"),
    Column("run_ids", lambda table_row: " ".join(run.run_id for run in table_row.row.runs)),
    Column("stale", lambda table_row: " ".join(run.run_id for run in table_row.row.runs if run.is_stale)),
    Column("problems", _join_problems),
)
"""Columns of every table, in the order of csv, json and printed tables."""

OPTIONAL_COLUMNS: dict[str, tuple[Column, ...]] = {
    "hiou_rank": (
        Column(
            "hiou_rank",
            partial(_get_rank, "rank"),
            dtype="Int64",
            header="Rank",
            format=format_ranks,
            note=describe_ranks,
        ),
        Column("hiou_rank_low", partial(_get_rank, "low"), dtype="Int64"),
        Column("hiou_rank_high", partial(_get_rank, "high"), dtype="Int64"),
        Column("hiou_rank_is_tied", partial(_get_rank, "is_tied"), dtype="boolean"),
    ),
    **{
        metric: _make_score_columns(metric, note=partial(describe_metric, metric))
        for metric in METRICS
        if metric not in TABLE_METRICS
    },
}
"""Columns that a table has if they are selected, each with the columns that belong to it."""
