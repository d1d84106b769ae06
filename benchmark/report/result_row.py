"""Rows of results: runs of one method with their mean scores, on one split or over several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any, NamedTuple

from benchmark.core.protocol_class import ProtocolClass
from benchmark.core.run_record import Cost, RunRecord
from benchmark.core.run_state import RunState
from benchmark.evaluation.alarm import Alarm
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.scores import Convention, Floats, Metric, Scores
from benchmark.evaluation.sides import Side
from benchmark.evaluation.stats import Interval

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
        left_out: (N,) scores without each of the N images by metric, of the metrics that rows have estimates of.
        alarms: Signs in the counts that the result is not what it seems.
        changes: What has changed of what the run used, see `benchmark.store.staleness.find_changes`.
        contract: What speaks against the method, see `benchmark.store.contract_record.describe_contract`.
        is_portable: Whether nothing of this machine but the package counts, see `portable_rows`.
    """

    seed: int
    run_id: str
    state: RunState
    problem: str = ""
    record: RunRecord | None = None
    counts: Counts | None = field(default=None, repr=False)
    scores: Scores | None = None
    left_out: Mapping[Metric, Floats] = field(default_factory=dict, repr=False)
    alarms: tuple[Alarm, ...] = ()
    changes: tuple[str, ...] = ()
    contract: str = ""
    is_portable: bool = False

    @property
    def is_stale(self) -> bool:
        """Whether the result may be another one now."""
        return bool(self.changes)


class Estimate(NamedTuple):
    """Mean score over the done runs, in percent, nan if not defined; and its interval, None if there is none."""

    mean: float
    interval: Interval | None


@dataclass(frozen=True, eq=False)
class ResultRow(ABC):
    """Results of one row of a table.

    Attributes:
        label: Label of the row in tables.
        method: Registered name of the method.
        split: Name of the split; empty for a row over several splits.
        runs: Results of the runs, split by split, seeds ascending.
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
    @abstractmethod
    def counted(self) -> tuple[RunResult, ...]:
        """Runs behind the scores: the done ones, of deterministic runs only the first of each split."""

    @property
    @abstractmethod
    def is_complete(self) -> bool:
        """Whether every planned run has scores; of a deterministic method, whether one has on each split."""

    @property
    @abstractmethod
    def sides(self) -> Mapping[str, Side]:
        """The row as one side of a comparison, by split: pixel counts by seed; no splits without a done run."""

    @property
    @abstractmethod
    def estimates(self) -> dict[Metric, Estimate]:
        """Estimates by metric; empty if no run is done."""

    @property
    def has_estimates(self) -> bool:
        """Whether the estimates were computed."""
        return "estimates" in vars(self)

    def keep_estimates(self, estimates: dict[Metric, Estimate]) -> None:
        """Keep the estimates of this row that another process has computed."""
        vars(self).setdefault("estimates", estimates)  # where `cached_property` keeps them

    @abstractmethod
    def select_scores(self, metric: Metric) -> tuple[float, ...]:
        """Return the scores that the mean of the row is the mean of."""

    @abstractmethod
    def average_iou(self, *, is_seen: bool) -> Floats:
        """Return the (K,) IoU per class in one role, mean over the runs.

        Args:
            is_seen: Whether to return the IoU where a class is seen or where it is unseen; nan for a class that never
                is, or that the convention leaves out.
        """

    @abstractmethod
    def name_runs(self, runs: Sequence[RunResult]) -> str:
        """Return some runs of the row in words, such as "seeds 0, 1"."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics that have estimates."""
        return tuple(self.jackknife.metrics)

    @cached_property
    def done(self) -> tuple[RunResult, ...]:
        """Runs with scores."""
        return tuple(run for run in self.runs if run.scores is not None)

    @cached_property
    def is_deterministic(self) -> bool:
        """Whether every seed gives the same result, so that one run stands for all; False if no run is done."""
        return bool(self.records) and all(record.is_deterministic for record in self.records)

    @cached_property
    def is_imported(self) -> bool:
        """Whether the predictions of the runs were imported, so that nothing is known of how they were made."""
        return bool(self.records) and all(record.imported is not None for record in self.records)

    @property
    def is_labels_only(self) -> bool:
        """Whether labels were counted without their scores, so that no other offset gamma can be applied."""
        return any(counts.is_labels_only for counts in self.counts)

    @property
    def state(self) -> RunState:
        """State of the row: done if any run is, otherwise the worst state among the runs."""
        states = {run.state for run in self.runs}
        return RunState.DONE if self.done else next((s for s in WORST_FIRST if s in states), RunState.MISSING)

    @cached_property
    def records(self) -> tuple[RunRecord, ...]:
        """Records of the done runs."""
        return tuple(run.record for run in self.done if run.record is not None)

    @property
    def counts(self) -> tuple[Counts, ...]:
        """Pixel counts of the runs behind the scores."""
        return tuple(run.counts for run in self.counted if run.counts is not None)

    @property
    def title(self) -> str:
        """Title of the method."""
        return self._find_text("title")

    @property
    def supervision(self) -> str:
        """Supervision that the method had in training."""
        return self._find_text("supervision")

    @cached_property
    def traits(self) -> ProtocolClass:
        """Traits of the results, from the first done run, else from any; nothing is known of a row without a record."""
        records = (*self.records, *(run.record for run in self.runs if run.record is not None))
        return records[0].known_traits if records else ProtocolClass()

    @property
    def reconstruction(self) -> str:
        """Parts of the method that are ours and not the paper's; empty if official code was followed.

        Empty for published checkpoints, too: a method that reads them predicts as the official code does, and its
        training, which may be ours, had no part in the results.
        """
        is_published = self.records and all(record.spec.is_published_result for record in self.records)
        return "" if is_published else self._find_text("reconstruction")

    @property
    def gamma(self) -> float:
        """Offset of the seen classes at which the runs were counted, from their protocol; 0 for none."""
        return next((record.spec.protocol.gamma for record in self.records), 0.0)

    @cached_property
    def cost(self) -> Cost | None:
        """Median cost over the done runs; None if none was measured."""
        return compute_median_cost([record.cost for record in self.records if record.cost is not None])

    def _find_text(self, name: str) -> str:
        texts = (getattr(run.record, name) for run in self.runs if run.record is not None)
        return next((text for text in texts if text), "")


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
