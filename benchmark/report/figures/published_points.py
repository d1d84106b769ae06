"""Published numbers on the split of a figure: only those that were scored on the same pixels and classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from benchmark.published.published_row import PublishedRow
from benchmark.published.read import read_published
from benchmark.report.figures.glyphs import show_text
from benchmark.report.published_obstacles import find_published_obstacle
from benchmark.report.result_row import ResultRow
from benchmark.report.settings import EvaluationSetting

MAX_POINTS = 12
"""Published numbers in a figure: those with the highest hIoU."""


@dataclass(frozen=True)
class PublishedPoint:
    """Published numbers of one method, in percent."""

    label: str
    seen: float
    unseen: float


@dataclass(frozen=True)
class PublishedPoints:
    """Published numbers of a figure.

    Attributes:
        points: Numbers, the highest hIoU first.
        heading: Words above them, which say that they are published, and how many of them are drawn.
    """

    points: tuple[PublishedPoint, ...]
    heading: str


NO_POINTS = PublishedPoints((), "")


def collect_published(
    rows: Sequence[ResultRow],
    setting: EvaluationSetting | None,
    *,
    published: Sequence[PublishedRow] | None = None,
) -> PublishedPoints:
    """Return the published numbers of seen and unseen classes that rows may be drawn beside.

    They are of the same split, in a setting such as "inductive" that a row has, and meet this row, see
    `published_obstacles.find_published_obstacle`.

    Args:
        rows: Rows of the figure.
        setting: Setting that the rows share; None if no run is done, and without a split if they are over several.
        published: All published numbers; those of `results/published/` if None.
    """
    if setting is None or not setting.split:
        return NO_POINTS
    done = [row for row in rows if row.done]
    fitting = [
        other
        for other in (_read_published() if published is None else published)
        if other.split == setting.split
        and {"miou_seen", "miou_unseen", "hiou"} <= set(other.values)
        and any(other.traits.setting == row.traits.setting and not find_published_obstacle(row, other) for row in done)
    ]
    shown = sorted(fitting, key=lambda other: -other.values["hiou"])[:MAX_POINTS]
    if not shown:
        return NO_POINTS
    part = f"\n{len(shown)} of {len(fitting)}, highest hIoU" if len(shown) < len(fitting) else ""
    points = tuple(
        PublishedPoint(_label(other), other.values["miou_seen"], other.values["miou_unseen"]) for other in shown
    )
    return PublishedPoints(points, f"published, not run here{part}")


def _label(other: PublishedRow) -> str:
    unsure = "" if other.is_verified else ", unverified"
    name = show_text(other.method)
    return f"{name if len(name) <= 28 else name[:27] + '…'} ({other.year}{unsure})  {other.values['hiou']:.1f}"


@cache
def _read_published() -> tuple[PublishedRow, ...]:
    try:
        return read_published()
    except OSError:  # an installation without the folder of results
        return ()
