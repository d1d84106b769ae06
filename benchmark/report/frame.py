"""Results as pandas data frames: one row per run, or tidy with one row per run and metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.core.run_record import Cost, digest_code
from benchmark.evaluation.scores import DATASET_METRICS, Convention
from benchmark.report.rows import Row, RunResult, read_rows
from benchmark.store.store import Store

if TYPE_CHECKING:
    from pandas import DataFrame

COST_METRICS = tuple(name for name in Cost.model_fields if name not in ("image_size", "unmeasured"))


def load_results(study: str, *, runs: Path | str = "runs", convention: Convention = "d2-main") -> DataFrame:
    """Return the results of a study, see `benchmark.api.load_results`."""
    store = Store(runs)
    return to_frame(read_rows(store, store.read_plan(study), convention=convention), study=study)


def to_frame(rows: Sequence[Row], *, study: str = "") -> DataFrame:
    """Return results as a tidy data frame: one row per run and metric.

    Args:
        rows: Rows as `rows.read_rows` returns them.
        study: Name of the study.

    Returns:
        The columns `RUN_COLUMNS`, then "metric" and "value". Metrics are `DATASET_METRICS`, "iou/CLASS" for every
        class, and `COST_METRICS`; a value is nan if it is not defined or the run has no result.
    """
    return to_run_frame(rows, study=study).melt(list(RUN_COLUMNS), var_name="metric", value_name="value")


def to_run_frame(rows: Sequence[Row], *, study: str = "") -> DataFrame:
    """Return results as a data frame with one row per run and one column per metric.

    Args:
        rows: Rows as `rows.read_rows` returns them; the frame keeps their order and that of their runs.
        study: Name of the study.

    Returns:
        The columns `RUN_COLUMNS`, then one per metric, see `to_frame`.
    """
    from pandas import DataFrame

    classes = next((counts.classes for row in rows for counts in row.counts), ())
    metrics = [*DATASET_METRICS, *(f"iou/{name}" for name in classes), *COST_METRICS]
    runs = [(row, run) for row in rows for run in row.runs]
    facts = {name: [value(row, run) for row, run in runs] for name, value in RUN_COLUMNS.items()}
    values = [_list_values(run, classes=len(classes)) for _, run in runs]
    frame = DataFrame(facts | {"study": study})
    return frame.join(DataFrame(values, columns=metrics, dtype="float64"))


def list_records(frame: DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dicts of Python values, None for missing ones."""
    values = frame.astype(object)
    records = values.where(values.notna(), None).to_dict("records")
    return [{str(name): value for name, value in record.items()} for record in records]


def _list_values(run: RunResult, *, classes: int) -> list[float]:
    """Return the values of all metrics of a run, in the order of the columns."""
    scores, cost = run.scores, run.record.cost if run.record is not None else None
    values = [getattr(scores, metric, math.nan) for metric in DATASET_METRICS]
    values += scores.iou if scores is not None else [math.nan] * classes
    return values + [getattr(cost, metric, math.nan) for metric in COST_METRICS]


def _read_spec(row: Row, name: str) -> Any:
    """Return a field that the specs of a row's runs share; None if no run of the row has a record."""
    return next((getattr(run.record.spec, name) for run in row.runs if run.record is not None), None)


def _read_environment(run: RunResult, name: str) -> Any:
    return getattr(run.record.environment, name) if run.record is not None else None


RUN_COLUMNS: dict[str, Callable[[Row, RunResult], Any]] = {
    "study": lambda _row, _run: "",
    "row": lambda row, _run: row.label,
    "method": lambda row, _run: row.method,
    "variant": lambda row, _run: _read_spec(row, "variant"),
    "split": lambda row, _run: _read_spec(row, "split"),
    "protocol": lambda row, _run: getattr(_read_spec(row, "protocol"), "name", None),
    "engine": lambda row, _run: _read_spec(row, "engine"),
    "seed": lambda _row, run: run.seed,
    "run_id": lambda _row, run: run.run_id,
    "state": lambda _row, run: run.state.value,
    "problem": lambda _row, run: run.problem,
    "stale": lambda _row, run: run.is_stale,
    "changes": lambda _row, run: "; ".join(run.changes),
    "code_digest": lambda _row, run: digest_code(run.record.code) if run.record is not None else None,
    "commit": lambda _row, run: _read_environment(run, "commit"),
    "device": lambda _row, run: _read_environment(run, "device"),
    "counts_digest": lambda _row, run: run.record.counts_digest if run.record is not None else None,
    "convention": lambda row, _run: row.convention,
}
"""Facts of a run: column name, and function from its row and its result to the value."""
