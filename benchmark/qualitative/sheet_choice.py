"""Choice of the images of a sheet, and the sentence on the sheet that says how they were chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from benchmark.evaluation.counts import Counts
from benchmark.qualitative.figure import choose_images
from benchmark.qualitative.image_choice import ALL, FIRST, describe_missing_images, name_images
from benchmark.utils.did_you_mean import explain_unknown_name

TARGETS, DIFFERENCE = "targets", "difference:"


class SheetChoice(NamedTuple):
    """Chosen images.

    Attributes:
        image_ids: Ids, in the order of the sheet.
        text: How they were chosen, one sentence without a full stop.
    """

    image_ids: list[str]
    text: str


def choose_for_sheet(select: str, counts: Mapping[str, Counts], *, baseline: str, count: int) -> SheetChoice:
    """Choose the images of a sheet.

    Args:
        select: "targets" or empty (by the targets alone), "difference:ROW" (largest difference between that row and the
            baseline), "first N", "all", or ids of images separated by commas.
        counts: Counts of the run that is drawn, by label of the row; at least one.
        baseline: Label of the row that a difference is taken from; if empty, the first row.
        count: Number of images that are chosen by targets or difference.

    Raises:
        KeyError: A row or image is unknown; the message names the nearest.
        ValueError: The rows of a difference are one, or share no image; or no image is named.
    """
    first = next(iter(counts.values()))
    if select in ("", TARGETS):
        return SheetChoice(choose_images(first, count=count), "images chosen by their targets alone")
    if select.startswith(DIFFERENCE):
        row = _find_row(select.removeprefix(DIFFERENCE), counts)
        reference = _find_row(baseline, counts) if baseline else next(iter(counts))
        return _choose_by_difference(row, reference, counts, count=count)
    names = name_images(select, first.image_ids)
    if select.strip() == ALL or describe_missing_images(select, first.image_ids):
        return SheetChoice(names, f"all {len(names)} scored images")
    is_list = not select.strip().startswith(FIRST)
    return SheetChoice(names, "images named by the user" if is_list else f"{select.strip()} of the scored images")


def compute_accuracies(counts: Counts) -> dict[str, float]:
    """Return the percentage of labeled pixels that are right, by id of the image; images without a label are absent."""
    right, labeled = (np.asarray(getattr(counts, name).sum(axis=1)) for name in ("intersection", "target"))
    rows = zip(counts.image_ids, right.tolist(), labeled.tolist(), strict=True)
    return {image_id: 100 * hits / total for image_id, hits, total in rows if total}


def _choose_by_difference(row: str, reference: str, counts: Mapping[str, Counts], *, count: int) -> SheetChoice:
    if row == reference:
        raise ValueError(f"row {row!r} differs from itself nowhere: give another one, or another --baseline")
    ours, theirs = compute_accuracies(counts[row]), compute_accuracies(counts[reference])
    changes = {image_id: ours[image_id] - theirs[image_id] for image_id in ours if image_id in theirs}
    if not changes:
        raise ValueError(f"rows {row!r} and {reference!r} were scored on no common image")
    chosen = sorted(changes, key=lambda image_id: (-abs(changes[image_id]), image_id))[:count]
    values = ", ".join(f"{image_id} ({changes[image_id]:+.1f})" for image_id in chosen)
    return SheetChoice(
        chosen,
        f"images with the largest difference in pixel accuracy of '{row}' from '{reference}', in points: {values}",
    )


def _find_row(name: str, counts: Mapping[str, Counts]) -> str:
    """Return the label of a row, whatever the case of the name."""
    labels = {label.casefold(): label for label in counts}
    if name.strip().casefold() not in labels:
        raise KeyError(explain_unknown_name("row with a finished run", name.strip(), counts))
    return labels[name.strip().casefold()]
