"""Columns of the cost of a method: parameters, operations, times and memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from benchmark.report.tables.cells import find_time_unit, format_costs, format_train_times
from benchmark.report.tables.column import Column, is_any_known
from benchmark.report.tables.notes import describe_costs

if TYPE_CHECKING:
    from pandas import DataFrame


def _make_cost_column(
    key: str, *, dtype: Literal["Int64", "float64"], is_default: bool = True, **printed: Any
) -> Column:
    """Return the column of a cost figure; a default one is printed if any row has the figure."""

    def is_shown(frame: DataFrame) -> bool:
        return is_default and is_any_known(frame, key)

    return Column(
        key, lambda table_row: getattr(table_row.row.cost, key, None), dtype=dtype, is_shown=is_shown, **printed
    )


COST_COLUMNS: tuple[Column, ...] = (
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
)
"""Columns of the figures of cost; those that no row has are not printed."""
