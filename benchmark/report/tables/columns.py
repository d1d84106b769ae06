"""Columns of a study's table: the one list behind text, Markdown, LaTeX, csv, json and the row frame."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from benchmark.evaluation.scores import METRICS, Metric
from benchmark.report.rows import TABLE_METRICS
from benchmark.report.tables.cells import format_ranks, format_scores, format_seeds, format_texts
from benchmark.report.tables.column import Column, TableRow
from benchmark.report.tables.cost_columns import COST_COLUMNS
from benchmark.report.tables.difference_columns import DIFFERENCE_COLUMNS
from benchmark.report.tables.headers import SCORE_HEADERS
from benchmark.report.tables.split_columns import SPLIT_COLUMNS
from benchmark.report.tables.traits import TRAIT_COLUMNS
from benchmark.report.tables.uncertainty import describe_groups, describe_metric, describe_ranks, describe_runs

FOLLOWS_SPLITS = "least_p"
"""Column that follows those of rows over several splits."""


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


def _make_setting_column(key: str, *, dtype: Literal["str", "Int64"] = "str") -> Column:
    return Column(key, lambda table_row: getattr(table_row.setting, key, None), dtype=dtype)


def _get_mean(metric: Metric, table_row: TableRow) -> float | None:
    estimate = table_row.row.estimates.get(metric)
    return estimate.mean if estimate else None


def _get_interval(metric: Metric, field: str, table_row: TableRow) -> Any:
    estimate = table_row.row.estimates.get(metric)
    return getattr(estimate.interval, field) if estimate and estimate.interval else None


def _get_rank(field: str, table_row: TableRow) -> Any:
    return getattr(table_row.rank, field) if table_row.rank else None


def _join_problems(table_row: TableRow) -> str:
    row = table_row.row
    return "; ".join(f"{row.name_runs([run])}: {run.problem}" for run in row.runs if run.problem)


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
    *DIFFERENCE_COLUMNS,
    *COST_COLUMNS,
    *TRAIT_COLUMNS,
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
    **{column.key: SPLIT_COLUMNS for column in SPLIT_COLUMNS if column.header},
}
"""Columns that a table has if they are selected, each with the columns that belong to it."""


def add_split_columns(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns of a table that has rows over several splits."""
    own = [column for column in columns if column not in SPLIT_COLUMNS]
    place = next(index for index, column in enumerate(own) if column.key == FOLLOWS_SPLITS)
    return (*own[:place], *SPLIT_COLUMNS, *own[place:])
