"""Results of a study: one frozen row per planned row, with the scores of its runs and their uncertainty.

Seeds and images are two sources of uncertainty. A row with several seeds gets Student's interval over seeds; a row with
one seed gets the bootstrap interval over images. An interval names its source, and every table and figure repeats it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean, median
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from benchmark.core.run_record import Cost, RunRecord
from benchmark.core.run_state import RunState
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import Convention, Floats, Metric, Scores, score
from benchmark.evaluation.stats import Interval, bootstrap_images, compute_t_interval
from benchmark.store.store import Store

if TYPE_CHECKING:
    from benchmark.core.study import Plan

IntervalSource = Literal["auto", "seeds", "images"]
TABLE_METRICS: tuple[Metric, ...] = ("miou_seen", "miou_unseen", "hiou")
WORST_FIRST = (RunState.BROKEN, RunState.FAILED, RunState.RUNNING, RunState.INTERRUPTED, RunState.MISSING)


class EvaluationSetting(NamedTuple):
    """Conditions that rows must share to be comparable in one table."""

    split: str
    split_digest: str
    protocol: str
    protocol_digest: str
    dataset_fingerprint: str
    max_images: int
    convention: Convention


@dataclass(frozen=True, eq=False)
class RunResult:
    """Result of one run, or the reason why there is none.

    Attributes:
        seed: Seed of the run.
        run_id: Id of the run.
        state: State of the run.
        problem: Reason why there are no scores, one line; empty if there are scores.
        record: Record of the run; None if there is no readable one.
        counts: Pixel counts of a done run, otherwise None.
        scores: Scores of a done run, otherwise None.
        is_stale: Whether another version of the code produced the result, see `read_rows`.
    """

    seed: int
    run_id: str
    state: RunState
    problem: str = ""
    record: RunRecord | None = None
    counts: Counts | None = field(default=None, repr=False)
    scores: Scores | None = None
    is_stale: bool = False


class Estimate(NamedTuple):
    """Mean score over the done runs, in percent, nan if not defined; and its interval, None if there is none."""

    mean: float
    interval: Interval | None


@dataclass(frozen=True, eq=False)
class Row:
    """Results of one row of a study.

    Attributes:
        label: Label of the row in tables.
        method: Registered name of the method.
        runs: Results of the runs, seeds ascending.
        convention: Convention of the scores.
        intervals: Source of the intervals; "auto" for seeds if several runs are done, otherwise images.
    """

    label: str
    method: str
    runs: tuple[RunResult, ...]
    convention: Convention
    intervals: IntervalSource = "auto"

    @property
    def done(self) -> tuple[RunResult, ...]:
        """Runs with scores."""
        return tuple(run for run in self.runs if run.scores is not None)

    @property
    def is_complete(self) -> bool:
        """Whether every planned run has scores."""
        return bool(self.runs) and len(self.done) == len(self.runs)

    @property
    def state(self) -> RunState:
        """State of the row: done if any run is, otherwise the worst state among the runs."""
        states = {run.state for run in self.runs}
        return RunState.DONE if self.done else next((s for s in WORST_FIRST if s in states), RunState.MISSING)

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """Records of the done runs."""
        return tuple(run.record for run in self.done if run.record is not None)

    @property
    def counts(self) -> tuple[Counts, ...]:
        """Pixel counts of the done runs."""
        return tuple(run.counts for run in self.done if run.counts is not None)

    @property
    def title(self) -> str:
        """Title of the method."""
        return self._find_text("title")

    @property
    def supervision(self) -> str:
        """Supervision that the method had in training."""
        return self._find_text("supervision")

    @property
    def reconstruction(self) -> str:
        """Parts of the method that are ours and not the paper's; empty if official code was followed."""
        return self._find_text("reconstruction")

    @property
    def gamma(self) -> float:
        """Offset of the seen classes at which the runs were counted, from their protocol; 0 for none."""
        return next((record.spec.protocol.gamma for record in self.records), 0.0)

    @cached_property
    def cost(self) -> Cost | None:
        """Median cost over the done runs; None if none was measured."""
        return compute_median_cost([record.cost for record in self.records if record.cost is not None])

    @cached_property
    def estimates(self) -> dict[Metric, Estimate]:
        """Estimates of `TABLE_METRICS`; empty if no run is done."""
        return estimate_means(self, TABLE_METRICS) if self.done else {}

    def select_scores(self, metric: Metric) -> tuple[float, ...]:
        """Return the score of every done run, in the order of the seeds."""
        return tuple(getattr(run.scores, metric) for run in self.done)

    def average_iou(self) -> Floats:
        """Return the (K,) IoU per class, mean over the done runs; nan if the convention leaves the class out."""
        values = np.array([run.scores.iou for run in self.done if run.scores is not None], dtype=np.float64)
        return np.asarray(values.mean(axis=0))

    def _find_text(self, name: str) -> str:
        texts = (getattr(run.record, name) for run in self.runs if run.record is not None)
        return next((text for text in texts if text), "")


def read_rows(
    store: Store,
    plan: Plan,
    *,
    convention: Convention = "d2-main",
    code: str = "",
    intervals: IntervalSource = "auto",
) -> list[Row]:
    """Read the results of a study, each record once.

    Args:
        store: Store that holds the runs.
        plan: Plan of the study. Runs that are missing, broken or failed become results that say so.
        convention: Convention of the scores.
        code: Digest of the current source: runs of other versions are stale. If empty, runs are stale that another
            version produced than the run that finished last.
        intervals: Source of the intervals, see `Row`.
    """
    rows = [
        read_row(store, row.ids, label=row.label, method=row.method, convention=convention, intervals=intervals)
        for row in plan.rows
    ]
    return mark_stale(rows, code=code)


def read_row(
    store: Store,
    ids: Mapping[int, str],
    *,
    label: str,
    method: str,
    convention: Convention,
    intervals: IntervalSource = "auto",
) -> Row:
    """Read the results of runs, given by seed, as one row."""
    runs = tuple(_read_run(store, ids[seed], seed=seed, convention=convention) for seed in sorted(ids))
    return Row(label=label, method=method, runs=runs, convention=convention, intervals=intervals)


def estimate_means(row: Row, metrics: Sequence[Metric]) -> dict[Metric, Estimate]:
    """Return the mean over the done runs of a row, with an interval over seeds or images, per metric.

    Raises:
        ValueError: No run of the row is done.
    """
    scores = {metric: row.select_scores(metric) for metric in metrics}
    if not row.done:
        raise ValueError(f"row {row.label!r} has no done run: there is nothing to estimate")
    if row.intervals == "seeds" or (row.intervals == "auto" and len(row.done) > 1):
        intervals = {metric: compute_t_interval(values) for metric, values in scores.items()}
    else:
        intervals = bootstrap_images(row.counts, metrics=metrics, convention=row.convention)
    return {metric: Estimate(fmean(values), intervals[metric]) for metric, values in scores.items()}


def find_shared_setting(rows: Sequence[Row]) -> EvaluationSetting | None:
    """Return the setting that the rows share; None if no run is done.

    Raises:
        ValueError: Rows differ in convention, split, protocol, dataset or number of images, so that they are not
            comparable in one table.
    """
    conventions = {row.convention for row in rows}
    if len(conventions) > 1:
        raise ValueError(
            f"rows follow different conventions ({', '.join(sorted(conventions))}): draw one table of each"
        )
    settings = {_read_setting(record, row.convention): row.label for row in rows for record in row.records}
    if len(settings) > 1:
        (first, label), (second, second_label) = list(settings.items())[:2]
        names = [name for name in EvaluationSetting._fields if getattr(first, name) != getattr(second, name)]
        values = "; ".join(f"{name}: {getattr(first, name)} and {getattr(second, name)}" for name in names)
        raise ValueError(f"rows {label!r} and {second_label!r} are not comparable ({values}): draw separate tables")
    return next(iter(settings), None)


def mark_stale(rows: Sequence[Row], *, code: str = "") -> list[Row]:
    """Return the rows with the runs marked that another version of the code produced; see `read_rows`."""
    records = [record for row in rows for record in row.records]
    if records and not code:
        code = max(records, key=lambda record: (record.finished, record.spec.id)).environment.code_digest
    return [replace(row, runs=tuple(_mark_run(run, code) for run in row.runs)) for row in rows]


def compute_median_cost(costs: Iterable[Cost]) -> Cost | None:
    """Return the median of every figure; None if there are no costs."""
    costs = list(costs)
    if not costs:
        return None
    names = [name for name in Cost.model_fields if name != "image_size"]
    medians = {name: median([getattr(cost, name) for cost in costs]) for name in names}
    whole = {
        name: int(value) if Cost.model_fields[name].annotation is int else value for name, value in medians.items()
    }
    return Cost(**whole, image_size=costs[0].image_size)


def _read_run(store: Store, run_id: str, *, seed: int, convention: Convention) -> RunResult:
    folder = store.run(run_id)
    snapshot = folder.read_snapshot()
    record, problem = snapshot.record, snapshot.problem or snapshot.state
    result = RunResult(seed=seed, run_id=run_id, state=snapshot.state, problem=problem, record=record)
    if record is None:
        return result
    if record.failure is not None:
        return replace(result, problem=f"{record.failure.kind}: {record.failure.message}")
    try:
        counts = folder.read_counts(record)
    except ValueError as error:
        return replace(result, record=None, state=RunState.BROKEN, problem=str(error))
    return replace(result, problem="", counts=counts, scores=score(counts, convention))


def _read_setting(record: RunRecord, convention: Convention) -> EvaluationSetting:
    spec = record.spec
    return EvaluationSetting(
        split=spec.split,
        split_digest=spec.split_digest,
        protocol=spec.protocol.name,
        protocol_digest=spec.protocol.digest(),
        dataset_fingerprint=spec.dataset_fingerprint,
        max_images=spec.max_images,
        convention=convention,
    )


def _mark_run(run: RunResult, code: str) -> RunResult:
    is_stale = run.scores is not None and run.record is not None and run.record.environment.code_digest != code
    return replace(run, is_stale=is_stale)
