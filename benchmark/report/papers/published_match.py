"""Published numbers of a cell of a paper's table, and what they say of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

from benchmark.core.paper import PaperDataset, PaperTable
from benchmark.core.paper_row import PublishedName
from benchmark.evaluation.scores import Metric
from benchmark.published.find import find_rows, fold_name
from benchmark.published.published_row import Metric as PublishedMetric
from benchmark.published.published_row import PublishedRow
from benchmark.report.result_row import Estimate
from benchmark.report.tables.headers import SCORE_HEADERS


class PublishedVerdict(NamedTuple):
    """What a published number says of ours.

    Attributes:
        difference: Ours minus the published number, in points.
        text: "within the interval", "3.1 below" or "1.2 above".
    """

    difference: float
    text: str


def match_published(
    rows: Sequence[PublishedRow], name: PublishedName, dataset: PaperDataset, *, setting: str
) -> PublishedRow | None:
    """Return the published numbers of a method on a dataset; None if there are none.

    Only rows on the very split or benchmark of the dataset are taken, so that incompatible splits never meet. Among
    several, those of exactly this name come first, then verified ones.

    Args:
        rows: All published rows.
        name: Method, and what tells its numbers apart.
        dataset: Dataset of the column.
        setting: Setting of the table; empty for any.

    Raises:
        KeyError: No published row has this method, benchmark or backbone; the message suggests the nearest.
        ValueError: Several rows fit; the message says how to tell them apart.
    """
    method, wanted = name.get_method(dataset.label), name.setting or setting
    known = find_rows(rows, method=method, benchmark=dataset.benchmark or None, backbone=name.backbone or None)
    fitting = [
        row
        for row in known
        if (dataset.benchmark or row.split == dataset.split)
        and (not wanted or row.traits.setting in ("", wanted))
        and row.source.startswith(name.source)
    ]
    fitting = [row for row in fitting if fold_name(row.method) == fold_name(method)] or fitting
    fitting = [row for row in fitting if row.is_verified] or fitting
    if len(fitting) > 1:
        place, ids = dataset.benchmark or dataset.split, ", ".join(row.id for row in fitting)
        raise ValueError(
            f"{method!r} has several published rows on {place} ({ids}): give the row's backbone, setting or source"
        )
    return fitting[0] if fitting else None


def compare_with_published(
    estimate: Estimate | None, published: PublishedRow | None, metric: str
) -> PublishedVerdict | None:
    """Return how our mean lies to a published number; None if one of them is missing.

    A published number is known up to half a unit of its last decimal, by which the interval is widened.

    Args:
        estimate: Our mean with its interval.
        published: Published numbers.
        metric: Metric to compare.
    """
    value = None if published is None else get_value(published.values, metric)
    if estimate is None or published is None or value is None or estimate.mean != estimate.mean:
        return None
    difference = estimate.mean - value
    interval = estimate.interval
    if interval is not None and interval.low - published.half_unit <= value <= interval.high + published.half_unit:
        return PublishedVerdict(difference, "within the interval")
    side = f"{abs(difference):.1f} {'below' if difference < 0 else 'above'}"
    return PublishedVerdict(difference, side if interval is not None else f"{side} (no interval)")


def format_values(published: PublishedRow, metrics: Sequence[Metric | str]) -> str:
    """Return the published numbers of some metrics, separated by slashes, with the decimals of their source."""
    values = [get_value(published.values, metric) for metric in metrics]
    return " / ".join("-" if value is None else f"{value:.{published.decimals}f}" for value in values)


def list_published_metrics(table: PaperTable) -> list[str]:
    """Return the metrics of a table's published numbers: those of its columns that sources print."""
    return [key for key in table.columns if key in get_args(PublishedMetric)] or [table.compared]


def get_value(values: Mapping[Any, float], metric: str) -> float | None:
    """Return the number of a metric among published ones, which have some of our metrics alone; None without it."""
    return values.get(metric)


def describe_published(published: PublishedRow) -> list[str]:
    """Return what a reader must know of published numbers, one text each."""
    texts = [] if published.is_verified else [f"published number not verified (read: {published.how_read})"]
    if published.misprint:
        texts.append(f"misprint, the recomputed value is shown: {published.misprint.rstrip('.')}")
    computed = [SCORE_HEADERS[metric] for metric in published.recomputed if metric not in published.printed]
    if computed:
        texts.append(f"published {', '.join(computed)} is not printed there, but computed from the printed numbers")
    if published.spread:
        spreads = ", ".join(f"{SCORE_HEADERS[metric]} ±{value:g}" for metric, value in published.spread.items())
        texts.append(f"published with {spreads}, which the verdict leaves out")
    return texts
