"""Scores of every class and of every image, for the comparisons that a reader chooses on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.image_scores import compute_image_ious
from benchmark.evaluation.scores import Floats
from benchmark.report.result_row import ResultRow
from benchmark.report.study_results import GroupResults
from benchmark.utils.forked_map import map_forked

BATCH = 4
"""Rows whose images a process scores before it hands them over."""
MAX_IMAGE_SCORES = 60_000
"""Scores of images of a group that the page holds."""
ROLES = (True, False)


@dataclass(frozen=True)
class GroupScores:
    """Scores of the rows of a group that have a result, as plain values for the page; tenths of a percent, or None.

    Attributes:
        rows: Indices of the rows in the table.
        classes: Names of the classes.
        roles: Per class: whether it is seen anywhere, and whether it is unseen anywhere.
        class_scores: By row: IoU of each class while seen, and while unseen.
        images: IDs of the images.
        image_classes: By image: indices of its classes.
        image_scores: By row: mean IoU of the classes of each image, mean over the runs.
        num_images: Number of scored images, of which the page may hold those with the largest range alone.
    """

    rows: tuple[int, ...]
    classes: tuple[str, ...]
    roles: tuple[tuple[bool, bool], ...]
    class_scores: tuple[tuple[list[int | None], list[int | None]], ...]
    images: tuple[str, ...]
    image_classes: tuple[list[int], ...]
    image_scores: tuple[list[int | None], ...]
    num_images: int


def collect_scores(group: GroupResults, *, first: int, limit: int = MAX_IMAGE_SCORES) -> GroupScores:
    """Return the scores of a group.

    Args:
        group: Results.
        first: Index of the group's first row in the table.
        limit: Largest number of scores of images.
    """
    done = [(first + at, row) for at, row in enumerate(group.rows) if row.done]
    rows = [row for _, row in done]
    if not rows:
        return GroupScores((), (), (), (), (), (), (), 0)
    roles = np.array([counts.seen for row in rows for counts in row.counts])  # (runs, K)
    reference = rows[0].counts[0]
    images = average_image_scores(rows)
    kept = choose_widest(images, max(1, limit // len(rows)))
    return GroupScores(
        rows=tuple(index for index, _ in done),
        classes=reference.classes,
        roles=tuple((bool(flags.any()), bool((~flags).any())) for flags in roles.T),
        class_scores=tuple(_list_class_scores(row) for row in rows),
        images=tuple(reference.image_ids[at] for at in kept),
        image_classes=tuple(_list_classes(reference, at) for at in kept),
        image_scores=tuple(_round_tenths(values[kept]) for values in images),
        num_images=len(reference.image_ids),
    )


def average_image_scores(rows: Sequence[ResultRow]) -> Floats:
    """Return the (rows, N) mean IoU of the classes of every image, mean over seeds and splits; nan without labels."""
    return np.array(map_forked(_average_image_scores, rows, batch=BATCH))


def describe_uneven_rows(groups: Sequence[GroupResults]) -> str:
    """Return a warning of rows that lack splits on which others of their group are done; empty if there are none."""
    uneven = [text for group in groups for text in _list_uneven(group)]
    if not uneven:
        return ""
    return (
        "Means of rows that lack splits are over other splits, and so are their differences from other rows: "
        f"{', '.join(uneven)}. chimera-bench compare takes the splits that both rows have."
    )


def _list_uneven(group: GroupResults) -> list[str]:
    numbers = [(row.label, len(row.sides)) for row in group.rows if row.done]
    most = len({split for row in group.rows for split in row.sides})
    return [f"{label} ({number} of {most} splits)" for label, number in numbers if number < most]


def choose_widest(scores: Floats, most: int) -> NDArray[np.int64]:
    """Return the indices of the images on which rows differ most, in the order of the images; all if they are few.

    Args:
        scores: (rows, N) scores; nan if not defined.
        most: Largest number of images.
    """
    known = ~np.isnan(scores).any(axis=0)
    spans = np.where(known, np.nan_to_num(scores).max(axis=0) - np.nan_to_num(scores).min(axis=0), -1.0)
    order = np.argsort(-spans, kind="stable")[:most]
    return np.sort(order[spans[order] >= 0])


def _average_image_scores(row: ResultRow) -> Floats:
    members = [np.mean([_score_images(counts) for counts in side.counts], axis=0) for side in row.sides.values()]
    return np.asarray(np.mean(members, axis=0))


def _score_images(counts: Counts) -> Floats:
    means, labeled = compute_image_ious(counts).average_images()
    scores = np.full(len(counts.image_ids), np.nan)
    scores[labeled] = means
    return scores


def _list_class_scores(row: ResultRow) -> tuple[list[int | None], list[int | None]]:
    seen, unseen = (_round_tenths(row.average_iou(is_seen=role)) for role in ROLES)
    return seen, unseen


def _list_classes(counts: Counts, image: int) -> list[int]:
    start, end = counts.target.indptr[image : image + 2]
    return [int(index) for index in counts.target.indices[start:end]]


def _round_tenths(values: NDArray[Any]) -> list[int | None]:
    return [None if value != value else round(10 * float(value)) for value in values]
