"""Results as tidy pandas data frames: a line per run, class and metric, or per run, image, class and metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from benchmark.core.run_record import Cost, digest_code
from benchmark.core.run_state import RunState
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import DATASET_METRICS
from benchmark.report.result_row import ResultRow, RunResult
from benchmark.report.rows import Row
from benchmark.utils.frozen_model import format_canonical_json

if TYPE_CHECKING:
    from pandas import DataFrame

COST_METRICS = tuple(name for name in Cost.model_fields if name not in ("image_size", "unmeasured"))
CLASS_METRICS = ("iou", "precision", "recall", "target_pixels", "predicted_pixels", "correct_pixels")
"""Metrics of one class: IoU, precision and recall in percent, and numbers of labeled pixels."""
IMAGE_METRICS = ("iou", "target_pixels", "predicted_pixels", "correct_pixels")
"""Metrics of one class in one image."""
PART_LINES = 50_000
"""Lines from which on a part of a frame ends; a part has whole runs."""
LISTED_PLACES = 3
"""Rows on a split that a note on runs without a result names."""


class _Line(NamedTuple):
    """One value of a run; class and image are None if the value is of all of them."""

    image: str | None
    name: str | None
    is_seen: bool | None
    metric: str
    value: float


_RunLines: TypeAlias = tuple[Row, RunResult, Sequence[_Line]]


def to_frame(rows: Sequence[Row], *, study: str = "") -> DataFrame:
    """Return results as a tidy data frame: one line per run, class and metric.

    Args:
        rows: Rows as `rows.read_rows` returns them.
        study: Study of the rows that know no own one.

    Returns:
        The columns `RUN_COLUMNS`, then "class", "seen", "metric" and "value". Lines without a class hold
        `DATASET_METRICS` and `COST_METRICS`, lines of a class hold `CLASS_METRICS`. A value is nan if it is not defined
        or the run has no result.
    """
    from pandas import concat

    return concat(list_frames(rows, study=study), ignore_index=True)


def list_frames(rows: Sequence[Row], *, study: str = "") -> Iterator[DataFrame]:
    """Yield the parts of `to_frame`, at least one: the lines of thousands of runs need not be in memory at once."""
    classes = {row.split: (counts.classes, counts.seen) for row in reversed(rows) for counts in row.counts}
    runs = ((row, run) for row in rows for run in row.runs)
    lines = ((row, run, list(_list_values(run, classes.get(row.split, ((), ()))))) for row, run in runs)
    return (_build(part, study=study).drop(columns="image") for part in _split(lines))


def list_image_frames(rows: Sequence[Row], *, study: str = "") -> Iterator[DataFrame]:
    """Yield the scores of single images as parts of a tidy data frame: one line per run, image, class and metric.

    Args:
        rows: Rows as `rows.read_rows` returns them.
        study: Study of the rows that know no own one.

    Yields:
        The columns `RUN_COLUMNS`, then "image", "class", "seen", "metric" and "value", with `IMAGE_METRICS` of the
        classes that are labeled or predicted in the image. Runs without a result have no lines, see
        `describe_left_out`. There is at least one part, which may have no lines.
    """
    runs = ((row, run, run.counts) for row in rows for run in row.runs)
    lines = ((row, run, list(_list_image_values(counts))) for row, run, counts in runs if counts is not None)
    return (_build(part, study=study) for part in _split(lines))


def describe_left_out(rows: Sequence[Row]) -> list[str]:
    """Return one line on the runs that `list_image_frames` has no lines of; nothing if there are none."""
    places, number = [], 0
    for row in rows:
        states: dict[RunState, list[RunResult]] = {}
        for run in row.runs:
            if run.counts is None:
                states.setdefault(run.state, []).append(run)
        number += sum(map(len, states.values()))
        places += [f"{row.label} {row.name_runs(some)} on {row.split} ({state})" for state, some in states.items()]
    if not places:
        return []
    more = f"; and {len(places) - LISTED_PLACES} more" if len(places) > LISTED_PLACES else ""
    runs = "1 run without a result has" if number == 1 else f"{number} runs without a result have"
    return [f"{runs} no lines: {'; '.join(places[:LISTED_PLACES])}{more}"]


def list_records(frame: DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dicts of Python values, None for missing ones."""
    values = frame.astype(object)
    records = values.where(values.notna(), None).to_dict("records")
    return [{str(name): value for name, value in record.items()} for record in records]


def read_facts(row: ResultRow, run: RunResult) -> dict[str, Any]:
    """Return the facts of a run by the names of `RUN_COLUMNS`."""
    return {name: value(row, run) for name, value in RUN_COLUMNS.items()}


def _split(runs: Iterable[_RunLines]) -> Iterator[list[_RunLines]]:
    """Yield the runs in parts of about `PART_LINES` lines, at least one part."""
    part: list[_RunLines] = []
    for run in runs:
        if sum(len(lines) for _, _, lines in part) >= PART_LINES:
            yield part
            part = []
        part.append(run)
    yield part


def _build(runs: Sequence[_RunLines], *, study: str) -> DataFrame:
    """Return a frame with the facts of every run beside each of its values."""
    from pandas import DataFrame, Series

    known = [{"study": row.study or study} | read_facts(row, run) for row, run, _ in runs]
    types = dict.fromkeys(["study", *RUN_COLUMNS], "str") | FACT_TYPES  # the same in every part
    facts = DataFrame(known, columns=list(types)).astype(types)
    repeated = facts.loc[np.repeat(np.arange(len(runs)), [len(lines) for _, _, lines in runs])].reset_index(drop=True)
    columns = list(zip(*(line for _, _, lines in runs for line in lines), strict=True)) or [()] * len(_Line._fields)
    image, name, is_seen, metric, value = columns
    return repeated.assign(
        **{"image": Series(image, dtype="str"), "class": Series(name, dtype="str")},
        seen=Series(is_seen, dtype="boolean"),
        metric=Series(metric, dtype="str"),
        value=Series(value, dtype="float64"),
    )


def _list_values(run: RunResult, classes: tuple[Sequence[str], Sequence[bool]]) -> Iterator[_Line]:
    """Yield the values of a run: those of the dataset, those of every class, costs.

    Args:
        run: Result of the run.
        classes: Names and whether they are seen, for a run without a result.
    """
    cost = run.record.cost if run.record is not None else None
    for metric in DATASET_METRICS:
        yield _Line(None, None, None, metric, getattr(run.scores, metric, math.nan))
    values = _score_classes(run)
    classes = (run.counts.classes, run.counts.seen) if run.counts is not None else classes
    for k, (name, is_seen) in enumerate(zip(*classes, strict=True)):
        for key in CLASS_METRICS:
            yield _Line(None, name, is_seen, key, float(values[key][k]) if values else math.nan)
    for key in COST_METRICS:
        known = getattr(cost, key, None)
        yield _Line(None, None, None, key, math.nan if known is None else float(known))


def _score_classes(run: RunResult) -> dict[str, Sequence[float]]:
    """Return the (K,) values of every class metric; nothing if the run has no result."""
    if run.counts is None or run.scores is None:
        return {}
    correct, predicted, target = (total.astype(float) for total in run.counts.totals)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = 100 * correct / predicted, 100 * correct / target
    return dict(zip(CLASS_METRICS, (run.scores.iou, precision, recall, target, predicted, correct), strict=True))


def _list_image_values(counts: Counts) -> Iterator[_Line]:
    matrices = [matrix.toarray() for matrix in (counts.intersection, counts.prediction, counts.target)]
    for n, image in enumerate(counts.image_ids):
        correct, predicted, target = (matrix[n] for matrix in matrices)
        union = predicted + target - correct
        for k in np.flatnonzero(union):
            values = (100 * correct[k] / union[k], target[k], predicted[k], correct[k])
            for metric, value in zip(IMAGE_METRICS, values, strict=True):
                yield _Line(image, counts.classes[k], counts.seen[k], metric, float(value))


def _read_spec(row: ResultRow, name: str) -> Any:
    """Return a field that the specs of a row's runs share; None if no run of the row has a record."""
    return next((getattr(run.record.spec, name) for run in row.runs if run.record is not None), None)


def _read_overrides(row: ResultRow) -> str | None:
    overrides = _read_spec(row, "overrides")
    return None if overrides is None else format_canonical_json(overrides)


def _read_environment(run: RunResult, name: str) -> Any:
    return getattr(run.record.environment, name) if run.record is not None else None


RUN_COLUMNS: dict[str, Callable[[ResultRow, RunResult], Any]] = {
    "row": lambda row, _run: row.label,
    "method": lambda row, _run: row.method,
    "variant": lambda row, _run: _read_spec(row, "variant"),
    "overrides": lambda row, _run: _read_overrides(row),
    "split": lambda row, _run: row.split,
    "protocol": lambda row, _run: getattr(_read_spec(row, "protocol"), "name", None),
    "max_images": lambda row, _run: _read_spec(row, "max_images"),
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

FACT_TYPES = {"max_images": "Int64", "seed": "int64", "stale": "bool"}
"""Types of the columns of facts that are no texts; a missing number is no float."""

ROW_FACTS = frozenset({"row", "method", "overrides", "max_images", "convention"})
"""Facts that the row of a table states already, or that have a place of their own in its json."""
