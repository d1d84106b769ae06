"""One method against another on the same images: scores with a paired test, every class, and what each costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.evaluation.scores import Convention, Metric
from benchmark.evaluation.stats import adjust_holm, bootstrap_difference
from benchmark.report.paired import Difference
from benchmark.report.rows import TABLE_METRICS, Row, mark_stale, row_of, shared_setting
from benchmark.report.tables.notes import budget_text
from benchmark.store.store import Store

if TYPE_CHECKING:
    from benchmark.core.study import Plan


@dataclass(frozen=True)
class ClassDifference:
    """IoU of one class in percent, means over the runs; nan where the convention leaves the class out."""

    name: str
    is_seen: bool
    a: float
    b: float

    @property
    def difference(self) -> float:
        """a - b."""
        return self.a - self.b


@dataclass(frozen=True, eq=False)
class Comparison:
    """What sets two methods apart.

    Attributes:
        a, b: their runs and scores.
        differences: a - b by metric, without metrics that are not defined; p values corrected over the metrics.
        classes: in the order of the split.
        cautions: what else differs between the two, one line each.
    """

    a: Row
    b: Row
    differences: Mapping[Metric, Difference]
    classes: tuple[ClassDifference, ...]
    cautions: tuple[str, ...]


def find_runs(store: Store, text: str, *, plan: Plan | None = None) -> tuple[str, dict[int, str]]:
    """What a user means by one side of a comparison.

    Args:
        store: where the runs lie.
        text: a row of the plan, or (a part of) a run's id. A part that fits several runs is understood where these
            differ in nothing but the seed.
        plan: of the study whose rows may be named.

    Returns:
        A label, and the ids of the runs by seed.

    Raises:
        KeyError: nothing fits, or several things do.
    """
    rows = {row.label.casefold(): row for row in plan.rows} if plan is not None else {}
    row = rows.get(text.strip().casefold())
    if row is not None:
        return row.label, dict(row.ids)
    try:
        specs = [_spec(store, store.find(text))]
    except KeyError as error:
        specs = _seeds_of_one_row(store, text)
        if not specs and plan is not None:
            labels = ", ".join(repr(row.label) for row in plan.rows)
            raise KeyError(f"{error.args[0]}; rows of {plan.study}: {labels}") from error
        if not specs:
            raise
    return f"{specs[0].method}/{specs[0].label}", {spec.seed: spec.id for spec in specs}


def compare(
    store: Store,
    a: Mapping[int, str],
    b: Mapping[int, str],
    *,
    labels: tuple[str, str] = ("", ""),
    convention: Convention = "d2-main",
) -> Comparison:
    """Compare the runs `a` with the runs `b`.

    Args:
        store: where they lie.
        a: runs of one method, ids by seed.
        b: runs of the other; where both have equally many, the i-th seeds are compared with each other.
        labels: what the two are called; the first run's method and row where empty.
        convention: how IoU is counted.

    Raises:
        ValueError: a side without a finished run, or sides of different splits, data or limits.
    """
    rows = [_side(store, ids, label=label, convention=convention) for ids, label in zip((a, b), labels, strict=True)]
    one, other = mark_stale(rows)
    shared_setting([one, other])
    return Comparison(
        a=one,
        b=other,
        differences=_differences(one, other),
        classes=_classes(one, other),
        cautions=_cautions(one, other),
    )


def _seeds_of_one_row(store: Store, text: str) -> list[RunSpec]:
    """The runs whose ids begin with or else contain the text, if they differ in the seed alone; else none."""
    lowered = text.lower().strip().rstrip("/")
    for fits in (str.startswith, str.__contains__):
        specs = [_spec(store, run_id) for run_id in store.ids() if fits(run_id, lowered)]
        if specs:
            kinds = {spec.model_copy(update={"seed": 0}).canonical() for spec in specs}
            return specs if len(kinds) == 1 else []
    return []


def _spec(store: Store, run_id: str) -> RunSpec:
    """From the record where there is one, as an archive may hold nothing else."""
    run = store.run(run_id)
    record = run.read_snapshot().record
    return record.spec if record is not None else run.read_spec()


def _side(store: Store, ids: Mapping[int, str], *, label: str, convention: Convention) -> Row:
    if not ids:
        raise ValueError("one side of the comparison has no runs: give at least one id")
    row = row_of(store, ids, label=label, method="", convention=convention)
    if not row.done:
        problems = "; ".join(f"{cell.run_id}: {cell.problem}" for cell in row.cells)
        raise ValueError(f"{label or 'one side'} has no finished run to compare ({problems}): run it first")
    spec = row.records[0].spec
    return replace(row, label=label or f"{spec.method}/{spec.label}", method=spec.method)


def _differences(a: Row, b: Row) -> dict[Metric, Difference]:
    defined = [metric for metric in TABLE_METRICS if not np.isnan(a.estimates[metric].mean - b.estimates[metric].mean)]
    paired = [bootstrap_difference(a.counts, b.counts, metric=metric, convention=a.convention) for metric in defined]
    adjusted = adjust_holm([one.p_value for one in paired])
    return {one.metric: Difference(one, p_value) for one, p_value in zip(paired, adjusted, strict=True)}


def _classes(a: Row, b: Row) -> tuple[ClassDifference, ...]:
    counts = a.counts[0]
    columns = (counts.classes, counts.seen, a.iou().tolist(), b.iou().tolist())
    return tuple(ClassDifference(*fields) for fields in zip(*columns, strict=True))


def _cautions(a: Row, b: Row) -> tuple[str, ...]:
    looked_at: dict[str, Callable[[Row], str]] = {
        "supervision": lambda row: row.supervision,
        "training": budget_text,
        "engine": lambda row: _of_all(row, lambda record: record.spec.engine),
        "device": lambda row: _of_all(row, lambda record: record.environment.device),
        "seeds": lambda row: ", ".join(str(cell.seed) for cell in row.done),
        "code": lambda row: _of_all(row, lambda record: record.environment.code_digest[:12]),
    }
    told = [
        f"different {name}: A {of(a) or 'none'}; B {of(b) or 'none'}"
        for name, of in looked_at.items()
        if of(a) != of(b)
    ]
    for side, row in (("A", a), ("B", b)):
        told += [f"{side}: seed {cell.seed} is left out ({cell.problem})" for cell in row.cells if cell.scores is None]
    return tuple(told)


def _of_all(row: Row, text_of: Callable[[RunRecord], str]) -> str:
    return " and ".join(sorted({text_of(record) for record in row.records}))
