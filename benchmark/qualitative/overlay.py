"""Overlays: an image under the colors of its predicted classes, and maps of where a prediction is right and wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.core.split import Split
from benchmark.core.types import get_ignore_label
from benchmark.qualitative.legend import LegendEntry, attach_legend
from benchmark.qualitative.palette import Palette
from benchmark.report.tables.layout import UNSEEN_MARK

Labels = NDArray[np.integer]

OPACITY = 0.6
"""Share of the color of a class in an overlay."""
RIGHT, WRONG_SEEN, WRONG_UNSEEN, IGNORED = range(4)
"""Values of an error map."""
ERROR_LEGEND = (
    LegendEntry((214, 214, 214), "right"),
    LegendEntry((221, 132, 40), "wrong, seen class"),
    LegendEntry((178, 24, 43), "wrong, unseen class"),
    LegendEntry((255, 255, 255), "ignored"),
)
"""Colors and texts of the values of an error map; seen and unseen is the class of the target."""


def draw_overlay(rgb: NDArray[np.uint8], labels: Labels, *, palette: Palette, split: Split) -> NDArray[np.uint8]:
    """Return an image under the colors of its classes, with a legend of the classes that occur.

    Args:
        rgb: (H, W, 3) image.
        labels: (H, W) classes of the split; other values leave the image as it is.
        palette: (K, 3) colors of the classes.
        split: Split; its unseen classes are marked.

    Returns:
        (H', W', 3), see `attach_legend`.
    """
    is_class = (labels >= 0) & (labels < len(split.classes))
    colors = palette[np.where(is_class, labels, 0)]  # (H, W, 3)
    mixed = np.rint((1 - OPACITY) * rgb + OPACITY * colors).astype(np.uint8)
    shown = np.flatnonzero(np.bincount(labels[is_class].astype(np.int64), minlength=len(split.classes)))
    entries = [LegendEntry(_to_rgb(palette[k]), _mark(split, k)) for k in shown.tolist()]
    return attach_legend(np.where(is_class[..., None], mixed, rgb), [*entries, *_explain_mark(split, shown.tolist())])


def find_errors(labels: Labels, target: Labels, split: Split) -> NDArray[np.uint8]:
    """Return where a prediction is right, wrong on a seen class, wrong on an unseen one, or not scored.

    Args:
        labels: (H, W) predicted classes of the split; other values are wrong.
        target: (H, W) classes of the split, or the ignore label.
        split: Split.

    Returns:
        (H, W) of `RIGHT`, `WRONG_SEEN`, `WRONG_UNSEEN` and `IGNORED`.
    """
    is_ignored = target == get_ignore_label(len(split.classes))
    is_unseen = ~np.array(split.is_seen)[np.where(is_ignored, 0, target)]
    errors = np.where(labels == target, RIGHT, np.where(is_unseen, WRONG_UNSEEN, WRONG_SEEN))
    return np.where(is_ignored, IGNORED, errors).astype(np.uint8)


def draw_errors(errors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a map of `find_errors` (H, W) in colors, with the share of the labeled pixels in its legend."""
    colors = np.array([entry.color for entry in ERROR_LEGEND], dtype=np.uint8)
    pixels = np.bincount(errors.ravel(), minlength=len(ERROR_LEGEND))
    labeled = max(1, int(pixels[:IGNORED].sum()))
    entries = [
        LegendEntry(entry.color, f"{entry.text} {100 * count / labeled:.1f} %" if value != IGNORED else entry.text)
        for value, (entry, count) in enumerate(zip(ERROR_LEGEND, pixels.tolist(), strict=True))
    ]
    return attach_legend(colors[errors], entries)


def _mark(split: Split, index: int) -> str:
    return split.classes[index] + ("" if split.is_seen[index] else UNSEEN_MARK)


def _explain_mark(split: Split, shown: Sequence[int]) -> list[LegendEntry]:
    is_marked = any(not split.is_seen[index] for index in shown)
    return [LegendEntry((255, 255, 255), f"{UNSEEN_MARK} unseen in training")] if is_marked else []


def _to_rgb(color: NDArray[np.uint8]) -> tuple[int, int, int]:
    red, green, blue = color.tolist()
    return red, green, blue
