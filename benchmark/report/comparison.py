"""Comparison of two methods on the same images: scores with a paired test, every split, every class, and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.core.plan import PlanRow
from benchmark.evaluation.families import adjust_holm
from benchmark.evaluation.jackknife import ImageJackknife
from benchmark.evaluation.margins import MarginTest, judge_margin
from benchmark.evaluation.pooling import ONE_SPLIT, PooledDifference, compare_over_splits
from benchmark.evaluation.scores import Convention, Metric
from benchmark.evaluation.sides import find_pool_obstacle
from benchmark.evaluation.stats import PairedDifference, compare_sides, join_cautions
from benchmark.report.class_differences import ClassDifference, compare_classes, compare_kinds
from benchmark.report.comparison_cautions import find_cautions, find_interval_cautions
from benchmark.report.comparison_sides import SplitRuns
from benchmark.report.differences import AdjustedDifference
from benchmark.report.pooled_rows import pool_members
from benchmark.report.result_row import ResultRow, RunResult
from benchmark.report.rows import TABLE_METRICS, Row, find_shared_setting, read_planned_rows
from benchmark.report.settings import EvaluationSetting
from benchmark.report.split_names import list_splits
from benchmark.store.store import Store

ADVICE = "name one split with --split, or several with a pattern such as 'toybox@*'"


SHOWN_PROBLEMS = 3
"""Different problems of runs that a message lists."""


@dataclass(frozen=True, eq=False)
class SplitDifference:
    """Differences between two methods on one of several splits.

    Attributes:
        split: Name of the split.
        unseen: Unseen classes of the split.
        a: Runs and scores of method A.
        b: Runs and scores of method B.
        differences: a - b by metric with the interval of this split alone, without metrics that are not defined.
    """

    split: str
    unseen: tuple[str, ...]
    a: Row
    b: Row
    differences: Mapping[Metric, PairedDifference]


@dataclass(frozen=True, eq=False)
class MethodComparison:
    """Differences between two methods, on one split or over all that both have.

    Attributes:
        a: Runs and scores of method A.
        b: Runs and scores of method B.
        setting: Setting that both share, without a split if there are several.
        differences: a - b by metric, without metrics that are not defined; p values corrected over the metrics.
        margins: Tests of the same differences against a margin; empty if no margin is given.
        splits: Differences on every split; empty if there is only one.
        classes: IoU per class, in the order of the split; over several splits, first where it is seen, then where it is
            unseen.
        kinds: Mean IoU of every kind of class that the split names, such as stuff and things, in the same order.
        cautions: Further differences between the two, one line each.
    """

    a: ResultRow
    b: ResultRow
    setting: EvaluationSetting
    differences: Mapping[Metric, AdjustedDifference]
    margins: Mapping[Metric, MarginTest]
    splits: tuple[SplitDifference, ...]
    classes: tuple[ClassDifference, ...]
    kinds: tuple[ClassDifference, ...]
    cautions: tuple[str, ...]


def compare_runs(
    store: Store,
    a: SplitRuns,
    b: SplitRuns,
    *,
    labels: tuple[str, str] = ("", ""),
    convention: Convention = "d2-main",
    margin: float | None = None,
    metrics: Sequence[Metric] = TABLE_METRICS,
) -> MethodComparison:
    """Compare the runs of two methods, over the splits on which both have a finished one.

    Args:
        store: Store that holds the runs.
        a: Ids by split and seed of the runs of method A.
        b: Ids by split and seed of the runs of method B; seeds that both have are compared with each other.
        labels: Labels of the two; if empty, the first run's method and row.
        convention: Convention of the scores.
        margin: Largest difference that does not matter, in percentage points; None for no tests against a margin.
        metrics: Metrics that are compared.

    Raises:
        ValueError: A side has no finished run, the sides share no split or differ in dataset or number of images, their
            splits are no pool, or the margin is not positive.
    """
    jackknife = ImageJackknife(tuple(metrics))
    sides = [
        _read_side(store, runs, label=label, convention=convention, jackknife=jackknife)
        for runs, label in zip((a, b), labels, strict=True)
    ]
    pairs = _pair_splits(*sides)
    setting = _find_setting(pairs)
    row_a, row_b = map(_join_splits, zip(*pairs, strict=True))
    caution = ONE_SPLIT if len(pairs) == 1 and max(len(a), len(b)) > 1 else ""
    differences = _compare_scores(row_a, row_b, caution=caution)
    tests = {} if margin is None else {name: judge_margin(one.paired, margin) for name, one in differences.items()}
    cautions = [*_describe_unpaired(sides, pairs), *find_interval_cautions(differences), *find_cautions(row_a, row_b)]
    return MethodComparison(
        a=row_a,
        b=row_b,
        setting=setting,
        differences=differences,
        margins=tests,
        splits=_list_splits(pairs, differences) if len(pairs) > 1 else (),
        classes=compare_classes(pairs),
        kinds=compare_kinds(pairs),
        cautions=tuple(cautions),
    )


def _read_side(
    store: Store, runs: SplitRuns, *, label: str, convention: Convention, jackknife: ImageJackknife
) -> list[Row]:
    """Return a side on each of its splits."""
    if not any(runs.values()):
        raise ValueError("one side of the comparison has no runs: give at least one id")
    planned = [PlanRow(label=label, method="", split=split, ids=dict(ids)) for split, ids in runs.items()]
    rows = read_planned_rows(store, planned, convention=convention, jackknife=jackknife)
    spec = next((record.spec for row in rows for record in row.records), None)
    if spec is None:
        problems = _name_problems([run for row in rows for run in row.runs])
        raise ValueError(f"{label or 'one side'} has no finished run to compare ({problems}): run it first")
    return [replace(row, label=label or f"{spec.method}/{spec.label}", method=spec.method) for row in rows]


def _name_problems(runs: Sequence[RunResult]) -> str:
    """Return why runs have no scores; of several with one problem, how many they are and the id of the first."""
    problems: dict[str, list[str]] = {}
    for run in runs:
        problems.setdefault(run.problem, []).append(run.run_id)
    texts = [
        f"{ids[0]}: {problem}" if len(ids) == 1 else f"{len(ids)} runs, such as {ids[0]}: {problem}"
        for problem, ids in problems.items()
    ]
    more = len(texts) - SHOWN_PROBLEMS
    return "; ".join(texts[:SHOWN_PROBLEMS]) + (f"; and {more} more problems" if more > 0 else "")


def _pair_splits(a: Sequence[Row], b: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Return both sides on every split on which both have a finished run."""
    done_a, done_b = ([row for row in side if row.done] for side in (a, b))
    if len(done_a) == len(done_b) == 1:
        return [(done_a[0], done_b[0])]
    pairs = [(row, other) for row in done_a for other in done_b if row.split == other.split]
    if not pairs:
        places = (list_splits([row.split for row in side]) for side in (done_a, done_b))
        raise ValueError("no split has finished runs of both: A has some on {}; B on {}".format(*places))
    return pairs


def _find_setting(pairs: Sequence[tuple[Row, Row]]) -> EvaluationSetting:
    """Return the setting that both sides share on all splits.

    Raises:
        ValueError: The sides differ on a split, or the splits are no pool.
    """
    settings = [setting for pair in pairs if (setting := find_shared_setting(pair)) is not None]
    if len(pairs) == 1:
        return settings[0]
    first, *others = (setting.without_split() for setting in settings)
    names = [
        name for name in EvaluationSetting._fields if any(getattr(first, name) != getattr(o, name) for o in others)
    ]
    if names:
        places = list_splits([row.split for row, _ in pairs])
        raise ValueError(f"splits {places} are not comparable ({', '.join(names)}): {ADVICE}")
    obstacle = find_pool_obstacle({row.split: row.side for row, _ in pairs})
    if obstacle:
        raise ValueError(f"{obstacle}, so that they have no mean: {ADVICE}")
    return first


def _join_splits(members: Sequence[Row]) -> ResultRow:
    return pool_members(members, num_splits=len(members)) if len(members) > 1 else members[0]


def _describe_unpaired(sides: Sequence[Sequence[Row]], pairs: Sequence[tuple[Row, Row]]) -> list[str]:
    """Return which splits of a side take no part, as the other has no finished run there."""
    shared = {row.split for pair in pairs for row in pair}
    cautions = []
    for name, other, side in zip("AB", "BA", sides, strict=True):
        alone = [row.split for row in side if row.split not in shared and row.done]
        cautions += [f"{name}: left out on {list_splits(alone)}, as {other} has no finished run there"] if alone else []
    return cautions


def _compare_scores(a: ResultRow, b: ResultRow, *, caution: str) -> dict[Metric, AdjustedDifference]:
    """Return the differences by metric, with one more caution on every interval if it is not empty."""
    defined = [metric for metric in a.metrics if not np.isnan(a.estimates[metric].mean - b.estimates[metric].mean)]
    paired = [_add_caution(_compare_score(a, b, metric=metric), caution) for metric in defined]
    adjusted = adjust_holm([difference.p_value for difference in paired])
    pairs = zip(paired, adjusted, strict=True)
    is_one_class = a.traits.key == b.traits.key
    return {difference.metric: AdjustedDifference(difference, p_value, is_one_class) for difference, p_value in pairs}


def _add_caution(known: PairedDifference | PooledDifference, caution: str) -> PairedDifference | PooledDifference:
    interval = known.interval
    return replace(known, interval=replace(interval, caution=join_cautions(caution, interval.caution)))


def _compare_score(a: ResultRow, b: ResultRow, *, metric: Metric) -> PairedDifference | PooledDifference:
    convention, jackknife = a.convention, a.jackknife
    if len(a.sides) > 1:
        return compare_over_splits(a.sides, b.sides, metric=metric, convention=convention, jackknife=jackknife)
    (side,), (reference,) = (row.sides.values() for row in (a, b))
    return compare_sides([side], reference, metric=metric, convention=convention, jackknife=jackknife)[0]


def _list_splits(
    pairs: Sequence[tuple[Row, Row]], differences: Mapping[Metric, AdjustedDifference]
) -> tuple[SplitDifference, ...]:
    return tuple(
        SplitDifference(
            split=a.split,
            unseen=tuple(
                name for name, is_seen in zip(a.counts[0].classes, a.counts[0].seen, strict=True) if not is_seen
            ),
            a=a,
            b=b,
            differences={
                metric: known.by_split[a.split] for metric, known in differences.items() if a.split in known.by_split
            },
        )
        for a, b in pairs
    )
