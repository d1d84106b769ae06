"""Results of a study: one frozen row per planned row, with the scores of its runs and their uncertainty.

Seeds and images are two sources of uncertainty. Every interval covers both, except that of a single run, which covers
the images alone. An interval names its source, and every table and figure repeats it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmark.core.run_record import Cost, RunRecord
from benchmark.core.run_state import RunState
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.image_scores import score_metrics
from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.scores import DATASET_METRICS, Convention, Floats, Metric, Scores, score
from benchmark.evaluation.sides import Side
from benchmark.evaluation.stats import Interval, estimate_means
from benchmark.report.settings import EvaluationSetting, read_setting
from benchmark.store.contract_record import describe_contract
from benchmark.store.staleness import find_changes
from benchmark.store.store import Store

if TYPE_CHECKING:
    from benchmark.core.study import Plan, PlanRow

TABLE_METRICS: tuple[Metric, ...] = ("miou_seen", "miou_unseen", "hiou")
WORST_FIRST = (RunState.BROKEN, RunState.FAILED, RunState.RUNNING, RunState.INTERRUPTED, RunState.MISSING)


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
        changes: What has changed of what the run used, see `benchmark.store.staleness.find_changes`.
        contract: What speaks against the method, see `benchmark.store.contract_record.describe_contract`.
    """

    seed: int
    run_id: str
    state: RunState
    problem: str = ""
    record: RunRecord | None = None
    counts: Counts | None = field(default=None, repr=False)
    scores: Scores | None = None
    changes: tuple[str, ...] = ()
    contract: str = ""

    @property
    def is_stale(self) -> bool:
        """Whether the result may be another one now."""
        return bool(self.changes)


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
        split: Name of the split.
        runs: Results of the runs, seeds ascending.
        convention: Convention of the scores.
        jackknife: Metrics that get estimates, and their scores without each image, shared by the rows of a table.
        study: Studies, or other names, that the row is from; empty if there is only the plan's.
    """

    label: str
    method: str
    split: str
    runs: tuple[RunResult, ...]
    convention: Convention
    jackknife: ImageJackknife = field(repr=False)
    study: str = ""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics that have estimates."""
        return tuple(self.jackknife.metrics)

    @property
    def done(self) -> tuple[RunResult, ...]:
        """Runs with scores."""
        return tuple(run for run in self.runs if run.scores is not None)

    @property
    def is_complete(self) -> bool:
        """Whether every planned run has scores; of a deterministic row, whether one has."""
        return bool(self.runs) and (len(self.done) == len(self.runs) or self.is_deterministic)

    @property
    def is_deterministic(self) -> bool:
        """Whether every seed gives the same result, so that one run stands for all; False if no run is done."""
        return bool(self.records) and all(record.is_deterministic for record in self.records)

    @property
    def is_imported(self) -> bool:
        """Whether the predictions of the runs were imported, so that nothing is known of how they were made."""
        return bool(self.records) and all(record.imported is not None for record in self.records)

    @property
    def is_labels_only(self) -> bool:
        """Whether labels were counted without their scores, so that no other offset gamma can be applied."""
        return any(counts.is_labels_only for counts in self.counts)

    @property
    def counted(self) -> tuple[RunResult, ...]:
        """Runs behind the scores: the done ones, of a deterministic row only the first."""
        return self.done[:1] if self.is_deterministic else self.done

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
        """Pixel counts of the runs behind the scores."""
        return tuple(run.counts for run in self.counted if run.counts is not None)

    @property
    def side(self) -> Side:
        """The row as one side of a comparison: pixel counts by seed."""
        runs = {run.seed: run.counts for run in self.counted if run.counts is not None}
        return Side(runs, is_deterministic=self.is_deterministic)

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
        """Estimates by metric; empty if no run is done."""
        if not self.done:
            return {}
        metrics, convention = self.metrics, self.convention
        intervals = estimate_means(self.side, metrics=metrics, convention=convention, jackknife=self.jackknife)
        return {metric: Estimate(fmean(self.select_scores(metric)), intervals[metric]) for metric in metrics}

    def select_scores(self, metric: Metric) -> tuple[float, ...]:
        """Return the score of every run behind the scores, in the order of the seeds."""
        if metric in DATASET_METRICS:
            return tuple(getattr(run.scores, metric) for run in self.counted)
        runs = (score_metrics(run, metrics=[metric], convention=self.convention) for run in self.counts)
        return tuple(scores[metric] for scores in runs)

    def average_iou(self) -> Floats:
        """Return the (K,) IoU per class, mean over the runs; nan if the convention leaves the class out."""
        values = np.array([run.scores.iou for run in self.counted if run.scores is not None], dtype=np.float64)
        return np.asarray(values.mean(axis=0))

    def _find_text(self, name: str) -> str:
        texts = (getattr(run.record, name) for run in self.runs if run.record is not None)
        return next((text for text in texts if text), "")


def read_rows(
    store: Store,
    plan: Plan,
    *,
    convention: Convention = "d2-main",
    metrics: Sequence[Metric] = TABLE_METRICS,
) -> list[Row]:
    """Read the results of a study, each record once.

    Args:
        store: Store that holds the runs.
        plan: Plan of the study. Runs that are missing, broken or failed become results that say so.
        convention: Convention of the scores.
        metrics: Metrics that get estimates.
    """
    jackknife = ImageJackknife(tuple(metrics))
    return [read_row(store, row, convention=convention, jackknife=jackknife) for row in plan.rows]


def read_row(store: Store, row: PlanRow, *, convention: Convention, jackknife: ImageJackknife) -> Row:
    """Read the results of a planned row."""
    runs = tuple(_read_run(store, row.ids[seed], seed=seed, convention=convention) for seed in sorted(row.ids))
    return Row(
        label=row.label,
        method=row.method,
        split=row.split,
        runs=runs,
        convention=convention,
        jackknife=jackknife,
        study=row.study,
    )


def find_shared_setting(rows: Sequence[Row]) -> EvaluationSetting | None:
    """Return the setting that the rows share; None if no run is done.

    Raises:
        ValueError: Rows differ in convention, split, protocol, dataset or number of images, so that they are not
            comparable.
    """
    conventions = {row.convention for row in rows}
    if len(conventions) > 1:
        raise ValueError(
            f"rows follow different conventions ({', '.join(sorted(conventions))}): draw one table of each"
        )
    settings = {read_setting(record, row.convention): row.label for row in rows for record in row.records}
    if len(settings) > 1:
        (first, label), (second, second_label) = list(settings.items())[:2]
        names = [name for name in EvaluationSetting._fields if getattr(first, name) != getattr(second, name)]
        values = "; ".join(f"{name}: {getattr(first, name)} and {getattr(second, name)}" for name in names)
        raise ValueError(f"rows {label!r} and {second_label!r} are not comparable ({values})")
    return next(iter(settings), None)


def compute_median_cost(costs: Iterable[Cost]) -> Cost | None:
    """Return the median of every figure over the costs that have it; None if there are no costs."""
    costs = list(costs)
    if not costs:
        return None
    medians: dict[str, Any] = {}
    for name in Cost.model_fields.keys() - {"image_size", "unmeasured"}:
        known = [value for cost in costs if (value := getattr(cost, name)) is not None]
        if known:
            medians[name] = int(median(known)) if isinstance(known[0], int) else median(known)
    size = next((cost.image_size for cost in costs if cost.image_size is not None), None)
    return Cost(**medians, image_size=size)


def _read_run(store: Store, run_id: str, *, seed: int, convention: Convention) -> RunResult:
    folder = store.run(run_id)
    snapshot = folder.read_snapshot()
    record, problem = snapshot.record, snapshot.problem or snapshot.state
    result = RunResult(seed=seed, run_id=run_id, state=snapshot.state, problem=problem, record=record)
    if record is None:
        return result
    if record.failure is not None:
        return replace(result, problem=record.failure.summary)
    try:
        counts = folder.read_counts(record)
    except ValueError as error:
        return replace(result, record=None, state=RunState.BROKEN, problem=str(error))
    changes, contract = find_changes(record, folder), describe_contract(store.root, record.spec)
    scores = score(counts, convention)
    return replace(result, problem="", counts=counts, scores=scores, changes=changes, contract=contract)
