"""Results of a study: one frozen row per planned row, with the scores of its runs and their uncertainty.

Seeds and images are two sources of uncertainty. Every interval covers both, except that of a single run, which covers
the images alone. An interval names its source, and every table and figure repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from benchmark.core.run_state import RunState
from benchmark.evaluation.image_scores import score_metrics
from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.scores import DATASET_METRICS, Convention, Floats, Metric
from benchmark.evaluation.sides import Side
from benchmark.evaluation.stats import estimate_means
from benchmark.report.named_specs import read_any_spec
from benchmark.report.result_reader import ResultReader
from benchmark.report.result_row import Estimate, ResultRow, RunResult
from benchmark.report.settings import EvaluationSetting, read_setting
from benchmark.store.contract_record import describe_contract
from benchmark.store.staleness import find_changes
from benchmark.store.store import Store
from benchmark.utils.collector_pause import pause_collector
from benchmark.utils.forked_map import map_forked

if TYPE_CHECKING:
    from benchmark.core.plan import Plan, PlanRow
    from benchmark.core.run_spec import RunSpec

BATCH = 128
"""Runs that a process reads before it hands them over."""
TABLE_METRICS: tuple[Metric, ...] = ("miou_seen", "miou_unseen", "hiou")


@dataclass(frozen=True, eq=False)
class Row(ResultRow):
    """Results of one row of a study on one split, seeds ascending.

    Attributes:
        spec: Spec of one of the runs; None if none can be read.
    """

    spec: RunSpec | None = None

    @property
    def planned_setting(self) -> EvaluationSetting | None:
        """Setting that the runs will have, done or not; None if no spec can be read."""
        return None if self.spec is None else read_setting(self.spec, self.convention)

    @property
    def counted(self) -> tuple[RunResult, ...]:
        """Runs behind the scores: the done ones, of a deterministic row only the first."""
        return self.done[:1] if self.is_deterministic else self.done

    @property
    def is_complete(self) -> bool:
        """Whether every planned run has scores; of a deterministic row, whether one has."""
        return bool(self.runs) and (len(self.done) == len(self.runs) or self.is_deterministic)

    @property
    def side(self) -> Side:
        """The row as one side of a comparison: pixel counts by seed."""
        runs = {run.seed: run.counts for run in self.counted if run.counts is not None}
        return Side(runs, is_deterministic=self.is_deterministic)

    @property
    def sides(self) -> Mapping[str, Side]:
        """The row as one side of a comparison, by its split; empty if no run is done."""
        return {self.split: self.side} if self.done else {}

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

    def average_iou(self, *, is_seen: bool) -> Floats:
        """Return the (K,) IoU of the seen or of the unseen classes, mean over the runs; nan for the others."""
        values = np.array([run.scores.iou for run in self.counted if run.scores is not None], dtype=np.float64)
        return np.where(np.array(self.counts[0].seen) == is_seen, values.mean(axis=0), np.nan)

    def name_runs(self, runs: Sequence[RunResult]) -> str:
        """Return some runs of the row by their seeds: "seeds 0, 1"."""
        return name_seeds(runs)


def name_seeds(runs: Sequence[RunResult]) -> str:
    """Return the seeds of some runs in words: "seed 0" or "seeds 0, 1"."""
    return f"seed{'s' if len(runs) > 1 else ''} {', '.join(str(run.seed) for run in runs)}"


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
    return read_planned_rows(store, plan.rows, convention=convention, jackknife=ImageJackknife(tuple(metrics)))


def read_planned_rows(
    store: Store, planned: Sequence[PlanRow], *, convention: Convention, jackknife: ImageJackknife
) -> list[Row]:
    """Read the results of planned rows, each record once; of thousands of runs in several processes."""
    ids = list(dict.fromkeys(run_id for row in planned for run_id in row.ids.values()))
    reader = ResultReader(store, convention, jackknife.metrics)
    with pause_collector():
        results = dict(zip(ids, map_forked(reader.read, ids, batch=BATCH), strict=True))
        return [_make_row(store, row, results, jackknife=jackknife, convention=convention) for row in planned]


def _make_row(
    store: Store, row: PlanRow, results: Mapping[str, RunResult], *, jackknife: ImageJackknife, convention: Convention
) -> Row:
    """Return a planned row with the results of its runs by their ids, whose scores the jackknife need not compute."""
    for run in (results[run_id] for run_id in row.ids.values()):
        if run.counts is not None and run.scores is not None:
            jackknife.keep(run.counts, run.scores, run.left_out, convention=convention)
    runs = [replace(results[row.ids[seed]], seed=seed) for seed in sorted(row.ids)]
    return Row(
        label=row.label,
        method=row.method,
        split=row.split,
        runs=tuple(_add_changes(store, run) for run in runs),
        convention=convention,
        jackknife=jackknife,
        study=row.study,
        spec=_find_spec(store, runs),
    )


def _find_spec(store: Store, runs: Sequence[RunResult]) -> RunSpec | None:
    """Return the spec of a done run if there is one, else of any other whose spec can be read; None if none can."""
    records = [run.record for run in runs if run.record is not None]
    done = [record for record in records if record.state is RunState.DONE]
    known = done or records
    return known[0].spec if known else read_any_spec(store, [run.run_id for run in runs])


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
    settings = {read_setting(record.spec, row.convention): row.label for row in rows for record in row.records}
    if len(settings) > 1:
        (first, label), (second, second_label) = list(settings.items())[:2]
        names = [name for name in EvaluationSetting._fields if getattr(first, name) != getattr(second, name)]
        values = "; ".join(f"{name}: {getattr(first, name)} and {getattr(second, name)}" for name in names)
        raise ValueError(f"rows {label!r} and {second_label!r} are not comparable ({values})")
    return next(iter(settings), None)


def _add_changes(store: Store, result: RunResult) -> RunResult:
    """Return the result of a run with what it says of the files of other runs, methods and the package."""
    if result.record is None or result.scores is None:
        return result
    changes = find_changes(result.record, store.run(result.run_id))
    return replace(result, changes=changes, contract=describe_contract(store.root, result.record.spec))
