"""Comparison of two methods on the same images: scores with a paired test, every class, and costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.core.run_spec import IMPORTED
from benchmark.core.study import Plan, PlanRow
from benchmark.evaluation.families import adjust_holm
from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.margins import MarginTest, judge_margin
from benchmark.evaluation.scores import Convention, Metric
from benchmark.evaluation.stats import compare_sides
from benchmark.report.alarms import describe_alarms
from benchmark.report.differences import AdjustedDifference
from benchmark.report.imported import describe_imported
from benchmark.report.named_rows import make_plan
from benchmark.report.rows import TABLE_METRICS, Row, find_shared_setting, read_row
from benchmark.report.tables.cautions import name_cautions
from benchmark.report.tables.headers import SCORE_HEADERS
from benchmark.report.tables.notes import describe_budget, describe_stale
from benchmark.report.tables.provenance import (
    describe_conflicts,
    describe_continued,
    describe_row_arithmetic,
    join_distinct,
)
from benchmark.store.store import Store
from benchmark.utils.method_names import is_method_path, split_method

UNKNOWN_OF_IMPORTS = ("training", "engine", "device", "arithmetic")
"""Properties of runs that are not known of imported predictions."""


@dataclass(frozen=True)
class ClassDifference:
    """IoU of one class in percent, means over the runs; nan if the convention leaves the class out.

    Attributes:
        name: Name of the class.
        is_seen: Whether the class has masks in training.
        a: IoU of method A.
        b: IoU of method B.
    """

    name: str
    is_seen: bool
    a: float
    b: float

    @property
    def difference(self) -> float:
        """The difference a - b."""
        return self.a - self.b


@dataclass(frozen=True, eq=False)
class MethodComparison:
    """Differences between two methods.

    Attributes:
        a: Runs and scores of method A.
        b: Runs and scores of method B.
        differences: a - b by metric, without metrics that are not defined; p values corrected over the metrics.
        margins: Tests of the same differences against a margin; empty if no margin is given.
        classes: IoU per class, in the order of the split.
        cautions: Further differences between the two, one line each.
    """

    a: Row
    b: Row
    differences: Mapping[Metric, AdjustedDifference]
    margins: Mapping[Metric, MarginTest]
    classes: tuple[ClassDifference, ...]
    cautions: tuple[str, ...]


def find_runs(store: Store, text: str, *, plan: Plan | None = None, split: str = "") -> tuple[str, dict[int, str]]:
    """Find the runs that a user names as one side of a comparison.

    Args:
        store: Store that holds the runs.
        text: Row of the plan, or anything that `named_rows.make_plan` takes and that stands for one row.
        plan: Plan whose rows may be named.
        split: Name or file of the split of the row; if empty, any.

    Returns:
        A label, and the ids of the runs by seed.

    Raises:
        KeyError: Nothing matches, or the text is ambiguous.
    """
    rows = [] if plan is None else [row for row in plan.rows if _is_called(row, text) and split in ("", row.split)]
    if not rows:
        try:
            rows = _find_rows(store, text, split)
        except KeyError as error:
            if plan is None:
                raise
            labels = ", ".join(repr(row.label) for row in plan.rows)
            raise KeyError(f"{error.args[0]}; rows of {plan.study}: {labels}") from error
        rows = [row if row.method in (IMPORTED, "") else _add_method(row) for row in rows]
    path = split_method(text)[0] if is_method_path(text) else ""
    exact = [row for row in rows if _is_called(row, text)]
    rows = exact if len(exact) == 1 else rows
    if len(rows) > 1:
        has_copies = len({row.label for row in rows}) < len(rows)
        names = ", ".join(
            f"{row.label!r} on {row.split} ({next(iter(row.ids.values()))})" if has_copies else _name(row, path)
            for row in rows
        )
        advice = "name its split with --split, or one of its runs" if has_copies else "name one of them"
        raise KeyError(f"{text!r} stands for {len(rows)} rows, and a side of a comparison is one: {advice} ({names})")
    return rows[0].label, dict(rows[0].ids)


def _find_rows(store: Store, text: str, split: str) -> list[PlanRow]:
    """Return the rows that a text stands for; it may be a label with what tells a row from others of its name."""
    try:
        return list(make_plan(store, [text], split=split).rows)
    except KeyError:
        name, bracket, _ = text.rpartition(" [")
        rows = _find_rows(store, name, split) if bracket else []
        called = [row for row in rows if row.label in (text, split_method(text)[1])]
        if not called:
            raise
        return called


def _name(row: PlanRow, path: str) -> str:
    """Return a row as a command names it, with the path of the method's file if the user gave it."""
    return repr(row.label.replace(row.method, path, 1) if path else row.label)


def _add_method(row: PlanRow) -> PlanRow:
    return row.model_copy(update={"label": f"{row.method}/{row.label}"})


def _is_called(row: PlanRow, text: str) -> bool:
    """Return whether a text is the label of a row or METHOD/LABEL, whatever its case."""
    return text.strip().casefold() in (row.label.casefold(), f"{row.method}/{row.label}".casefold())


def compare_runs(
    store: Store,
    a: Mapping[int, str],
    b: Mapping[int, str],
    *,
    labels: tuple[str, str] = ("", ""),
    convention: Convention = "d2-main",
    margin: float | None = None,
    metrics: Sequence[Metric] = TABLE_METRICS,
) -> MethodComparison:
    """Compare the runs of two methods.

    Args:
        store: Store that holds the runs.
        a: Ids by seed of the runs of method A.
        b: Ids by seed of the runs of method B; seeds that both have are compared with each other.
        labels: Labels of the two; if empty, the first run's method and row.
        convention: Convention of the scores.
        margin: Largest difference that does not matter, in percentage points; None for no tests against a margin.
        metrics: Metrics that are compared.

    Raises:
        ValueError: A side has no finished run, the sides differ in split, dataset or number of images, or the margin is
            not positive.
    """
    jackknife = ImageJackknife(tuple(metrics))
    row_a, row_b = (
        _read_side(store, ids, label=label, convention=convention, jackknife=jackknife)
        for ids, label in zip((a, b), labels, strict=True)
    )
    find_shared_setting([row_a, row_b])
    differences = _compare_scores(row_a, row_b)
    tests = {} if margin is None else {name: judge_margin(one.paired, margin) for name, one in differences.items()}
    return MethodComparison(
        a=row_a,
        b=row_b,
        differences=differences,
        margins=tests,
        classes=_compare_classes(row_a, row_b),
        cautions=(*_find_interval_cautions(differences), *_find_cautions(row_a, row_b)),
    )


def _read_side(
    store: Store, ids: Mapping[int, str], *, label: str, convention: Convention, jackknife: ImageJackknife
) -> Row:
    if not ids:
        raise ValueError("one side of the comparison has no runs: give at least one id")
    planned = PlanRow(label=label, method="", split="", ids=dict(ids))
    row = read_row(store, planned, convention=convention, jackknife=jackknife)
    if not row.done:
        problems = "; ".join(f"{run.run_id}: {run.problem}" for run in row.runs)
        raise ValueError(f"{label or 'one side'} has no finished run to compare ({problems}): run it first")
    spec = row.records[0].spec
    return replace(row, label=label or f"{spec.method}/{spec.label}", method=spec.method, split=spec.split)


def _compare_scores(a: Row, b: Row) -> dict[Metric, AdjustedDifference]:
    defined = [metric for metric in a.metrics if not np.isnan(a.estimates[metric].mean - b.estimates[metric].mean)]
    paired = [
        difference
        for metric in defined
        for difference in compare_sides([a.side], b.side, metric=metric, convention=a.convention, jackknife=a.jackknife)
    ]
    adjusted = adjust_holm([difference.p_value for difference in paired])
    pairs = zip(paired, adjusted, strict=True)
    return {difference.metric: AdjustedDifference(difference, p_value) for difference, p_value in pairs}


def _compare_classes(a: Row, b: Row) -> tuple[ClassDifference, ...]:
    counts = a.counts[0]
    columns = (counts.classes, counts.seen, _average_iou(a), _average_iou(b))
    return tuple(ClassDifference(*fields) for fields in zip(*columns, strict=True))


def _average_iou(row: Row) -> list[float]:
    """Return the IoU of every class."""
    seen, unseen = (row.average_iou(is_seen=kind) for kind in (True, False))
    return np.where(row.counts[0].seen, seen, unseen).tolist()


def _find_interval_cautions(differences: Mapping[Metric, AdjustedDifference]) -> list[str]:
    """Return the reasons why intervals of differences are unreliable, each once."""
    cautions = {SCORE_HEADERS[metric]: known.paired.interval.caution for metric, known in differences.items()}
    return [f"the interval of A - B ({text})" for text in name_cautions(cautions)]


def _find_cautions(a: Row, b: Row) -> tuple[str, ...]:
    has_seeds, is_any_imported = not (a.is_deterministic or b.is_deterministic), a.is_imported or b.is_imported
    properties: dict[str, Callable[[Row], str]] = {
        "supervision": lambda row: row.supervision,
        "training": describe_budget,
        "engine": lambda row: join_distinct(row, lambda record: record.spec.engine),
        "device": lambda row: join_distinct(row, lambda record: record.environment.device),
        "arithmetic": describe_row_arithmetic,
        "seeds": lambda row: ", ".join(str(run.seed) for run in row.done) if has_seeds else "",
    }
    cautions = [
        f"different {name}: A {describe(a) or 'none'}; B {describe(b) or 'none'}"
        for name, describe in properties.items()
        if describe(a) != describe(b) and not (is_any_imported and name in UNKNOWN_OF_IMPORTS)
    ]
    cautions += [f"{side}: {text}" for side, row in (("A", a), ("B", b)) for text in describe_imported(row)]
    cautions += _describe_shared_runs(a, b)
    if not is_any_imported:
        cautions += [f"different {text}" for text in describe_conflicts([*a.records, *b.records])]
    for side, row in (("A", a), ("B", b)):
        cautions += [f"{side}: {text}" for text in describe_stale(row) + describe_continued(row) + describe_alarms(row)]
        cautions += [f"{side}: seed {run.seed} is left out ({run.problem})" for run in row.runs if run.scores is None]
    return tuple(cautions)


def _describe_shared_runs(a: Row, b: Row) -> list[str]:
    """Return the caution that runs take part on both sides; none if none does."""
    ids_a, ids_b = ({run.run_id for run in row.counted} for row in (a, b))
    shared = sorted(ids_a & ids_b)
    if not shared:
        return []
    return ["A and B are the same runs" if ids_a == ids_b else f"A and B share runs: {', '.join(shared)}"]
