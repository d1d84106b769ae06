"""What a study came to: one frozen row per planned row, with the scores of its runs and how far they can be trusted.

Seeds and images are two sources of doubt. A row with several seeds gets Student's interval over seeds; a row with one
gets the bootstrap interval over images. An interval says which it is, and everything drawn from it repeats that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from benchmark.core.run_record import Cost, RunRecord
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import Convention, Floats, Metric, Scores, score
from benchmark.evaluation.stats import Interval, image_bootstrap, t_interval
from benchmark.store.store import State, Store

if TYPE_CHECKING:
    from benchmark.core.study import Plan

Over = Literal["auto", "seeds", "images"]
SHOWN: tuple[Metric, ...] = ("miou_seen", "miou_unseen", "hiou")
WORST_FIRST: tuple[State, ...] = ("broken", "failed", "running", "interrupted", "missing")


class Setting(NamedTuple):
    """What rows must share to stand in one table."""

    split: str
    split_digest: str
    protocol: str
    protocol_digest: str
    dataset_fingerprint: str
    max_images: int
    convention: Convention


@dataclass(frozen=True, eq=False)
class Cell:
    """One run of a row.

    Attributes:
        seed, run_id, state: of the run.
        problem: one line on why there are no scores; empty where there are.
        record: where it can be read.
        counts, scores: of a run that is done.
        is_stale: made by other code than the rows around it, see `collect`.
    """

    seed: int
    run_id: str
    state: State
    problem: str = ""
    record: RunRecord | None = None
    counts: Counts | None = field(default=None, repr=False)
    scores: Scores | None = None
    is_stale: bool = False


class Estimate(NamedTuple):
    """A mean over the runs that are done, in percent (nan where not defined), and its interval where there is one."""

    mean: float
    interval: Interval | None


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a study.

    Attributes:
        label: what the row is called.
        method: registered name.
        cells: its runs, seeds ascending.
        convention: how IoU was counted.
        estimates: of the metrics in `SHOWN`; empty where no run is done.
    """

    label: str
    method: str
    cells: tuple[Cell, ...]
    convention: Convention
    estimates: Mapping[Metric, Estimate]

    @property
    def done(self) -> tuple[Cell, ...]:
        """The runs with scores."""
        return tuple(cell for cell in self.cells if cell.scores is not None)

    @property
    def is_complete(self) -> bool:
        """Whether every planned run has scores."""
        return bool(self.cells) and len(self.done) == len(self.cells)

    @property
    def state(self) -> State:
        """done where any run is, else the worst state among the runs."""
        states = {cell.state for cell in self.cells}
        return "done" if self.done else next((state for state in WORST_FIRST if state in states), "missing")

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """The records of the runs that are done."""
        return tuple(cell.record for cell in self.done if cell.record is not None)

    @property
    def counts(self) -> tuple[Counts, ...]:
        """The pixel counts of the runs that are done."""
        return tuple(cell.counts for cell in self.done if cell.counts is not None)

    @property
    def title(self) -> str:
        """The method's title."""
        return self._said("title")

    @property
    def supervision(self) -> str:
        """What the method saw of the truth."""
        return self._said("supervision")

    @property
    def reconstruction(self) -> str:
        """What is ours and not the paper's; empty where official code was followed."""
        return self._said("reconstruction")

    @property
    def gamma(self) -> float:
        """The offset of the seen classes at which the runs were counted: that of their protocol; 0 for none."""
        return next((record.spec.protocol.gamma for record in self.records), 0.0)

    @property
    def cost(self) -> Cost | None:
        """Median over the runs that are done; None where none was measured."""
        return median_cost([record.cost for record in self.records if record.cost is not None])

    def values(self, metric: Metric) -> tuple[float, ...]:
        """One score a done run, in the order of the seeds."""
        return tuple(getattr(cell.scores, metric) for cell in self.done)

    def iou(self) -> Floats:
        """(K,) IoU per class, mean over the runs that are done; nan where the convention leaves the class out."""
        values = np.array([cell.scores.iou for cell in self.done if cell.scores is not None], dtype=np.float64)
        return np.asarray(values.mean(axis=0))

    def _said(self, name: str) -> str:
        said = (getattr(cell.record, name) for cell in self.cells if cell.record is not None)
        return next((text for text in said if text), "")


def collect(
    store: Store, plan: Plan, *, convention: Convention = "d2-main", code: str = "", over: Over = "auto"
) -> list[Row]:
    """Read what there is of a study; runs that are missing, broken or failed become cells that say so.

    Args:
        store: where the runs lie.
        plan: which runs.
        convention: how IoU is counted.
        code: digest of the present source: runs made by other code are stale. Without it, those are stale that were
            made by other code than the run that finished last.
        over: what intervals cover; "auto" takes seeds where a row has several, else images.
    """
    rows = [
        row_of(store, row.ids, label=row.label, method=row.method, convention=convention, over=over)
        for row in plan.rows
    ]
    return mark_stale(rows, code=code)


def row_of(
    store: Store, ids: Mapping[int, str], *, label: str, method: str, convention: Convention, over: Over = "auto"
) -> Row:
    """The row of these runs, given by seed."""
    cells = tuple(_cell(store, ids[seed], seed=seed, convention=convention) for seed in sorted(ids))
    bare = Row(label=label, method=method, cells=cells, convention=convention, estimates={})
    return replace(bare, estimates={metric: estimate(bare, metric, over=over) for metric in SHOWN if bare.done})


def estimate(row: Row, metric: Metric, *, over: Over = "auto") -> Estimate:
    """Mean over the done runs of a row, with an interval over seeds or images.

    Raises:
        ValueError: the row has no run that is done.
    """
    values = row.values(metric)
    if not values:
        raise ValueError(f"row {row.label!r} has no run that is done: there is nothing to estimate")
    by_seeds = over == "seeds" or (over == "auto" and len(values) > 1)
    interval = t_interval(values) if by_seeds else image_bootstrap(row.counts, metric=metric, convention=row.convention)
    return Estimate(fmean(values), interval)


def shared_setting(rows: Sequence[Row]) -> Setting | None:
    """What the rows share; None where nothing is done yet.

    Raises:
        ValueError: they differ in convention, split, protocol, data or limit, and so cannot stand in one table.
    """
    conventions = {row.convention for row in rows}
    if len(conventions) > 1:
        raise ValueError(
            f"rows follow different conventions ({', '.join(sorted(conventions))}): draw one table of each"
        )
    found = {_setting(record, row.convention): row.label for row in rows for record in row.records}
    if len(found) > 1:
        (one, label), (other, label_of_other) = list(found.items())[:2]
        names = [name for name in Setting._fields if getattr(one, name) != getattr(other, name)]
        given = "; ".join(f"{name}: {getattr(one, name)} and {getattr(other, name)}" for name in names)
        raise ValueError(f"rows {label!r} and {label_of_other!r} are not comparable ({given}): draw separate tables")
    return next(iter(found), None)


def mark_stale(rows: Sequence[Row], *, code: str = "") -> list[Row]:
    """The rows, with the runs marked that were made by other code than `code`; see `collect`."""
    records = [record for row in rows for record in row.records]
    if records and not code:
        code = max(records, key=lambda record: (record.finished, record.spec.id)).environment.code_digest
    return [replace(row, cells=tuple(_marked(cell, code) for cell in row.cells)) for row in rows]


def median_cost(costs: Iterable[Cost]) -> Cost | None:
    """The median of every figure; None of nothing."""
    found = list(costs)
    if not found:
        return None
    middle = {
        name: median([getattr(cost, name) for cost in found]) for name in Cost.model_fields if name != "image_size"
    }
    whole = {name: int(value) if Cost.model_fields[name].annotation is int else value for name, value in middle.items()}
    return Cost(**whole, image_size=found[0].image_size)


def _cell(store: Store, run_id: str, *, seed: int, convention: Convention) -> Cell:
    state = store.state(run_id)
    bare = Cell(seed=seed, run_id=run_id, state=state, problem=state)
    if state not in ("done", "failed", "broken"):
        return bare
    try:
        record = store.record(run_id)
        if record.failure is not None:
            return replace(bare, record=record, problem=f"{record.failure.kind}: {record.failure.message}")
        counts = store.counts(run_id)
    except ValueError as error:
        return replace(bare, state="broken", problem=str(error))
    return replace(bare, record=record, problem="", counts=counts, scores=score(counts, convention))


def _setting(record: RunRecord, convention: Convention) -> Setting:
    spec = record.spec
    return Setting(
        spec.split,
        spec.split_digest,
        spec.protocol.name,
        spec.protocol.digest(),
        spec.dataset_fingerprint,
        spec.max_images,
        convention,
    )


def _marked(cell: Cell, code: str) -> Cell:
    made_by = cell.record.environment.code_digest if cell.record is not None else code
    return replace(cell, is_stale=cell.scores is not None and made_by != code)
