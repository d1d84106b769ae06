"""A sheet of pictures: image, truth, and what every method made of it. Pure drawing; predictions come as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from benchmark.evaluation.counts import Counts
from benchmark.report.figures.style import FORMATS, PAGE_IN, drawing, paths, wrapped
from benchmark.report.tables.sheet import UNSEEN_MARK

LabelMap: TypeAlias = NDArray[np.integer]
Colour: TypeAlias = tuple[float, float, float]

HATCH = "////"
NO_CLASS: Colour = (1.0, 1.0, 1.0)


def choose_images(counts: Counts, *, count: int = 4) -> list[str]:
    """Images to show, chosen by their truth alone and never by how well anything did on them.

    One after the other the image that shows most unseen classes not shown yet, then most unseen classes, then most
    classes; the first by id among equals.

    Args:
        counts: of any run on the split.
        count: how many; fewer where there are no more images.

    Returns:
        Their ids, in the order of choice.
    """
    present = (counts.truth > 0).toarray()
    unseen = ~np.array(counts.seen)
    left, shown = list(range(len(counts.image_ids))), np.zeros(len(counts.classes), dtype=bool)
    chosen: list[int] = []
    while left and len(chosen) < count:
        scores = [
            ((present[at] & unseen & ~shown).sum(), (present[at] & unseen).sum(), present[at].sum()) for at in left
        ]
        best = left.pop(max(range(len(left)), key=scores.__getitem__))
        shown |= present[best]
        chosen.append(best)
    return [counts.image_ids[at] for at in chosen]


def draw_sheet(
    images: Sequence[NDArray[np.uint8]],
    truths: Sequence[LabelMap],
    predictions: Mapping[str, Sequence[LabelMap]],
    *,
    classes: Sequence[str],
    is_seen: Sequence[bool],
    out: Path,
    name: str = "qualitative",
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Draw rows of pictures with the columns image, truth and one a method; unseen classes are hatched.

    Args:
        images: (H, W, 3) RGB each.
        truths: (H, W) indices into `classes` each; anything else (255) is not scored and stays white.
        predictions: by the method's label, one (H, W) map an image.
        classes: names.
        is_seen: for every class.
        out: folder of the files.
        name: the files' stem.
        formats: of "png", "pdf", "svg".

    Raises:
        ValueError: no images, or maps that do not belong to them in number or size.
    """
    _check(images, truths, predictions)
    columns: dict[str, Sequence[LabelMap]] = {"truth": truths, **predictions}
    shown = _shown_classes(columns.values(), len(classes))
    colour_of = dict(zip(shown, _colours(len(shown)), strict=True))
    across, down = len(columns) + 1, len(images)
    side = min(1.6, PAGE_IN / across)
    legend_lines = -(-len(shown) // _legend_columns(side * across))
    shapes = [image.shape[0] / image.shape[1] for image in images]
    size = (side * across, side * sum(shapes) + 0.35 + 0.17 * (legend_lines + 1))
    with drawing(out, name, size=size, formats=formats) as figure:
        panels = figure.subplots(down, across, squeeze=False, height_ratios=shapes)
        for at, row in enumerate(panels):
            row[0].imshow(images[at], interpolation="nearest")
            for axes, maps in zip(row[1:], columns.values(), strict=True):
                _draw_map(axes, maps[at], colour_of, is_seen=is_seen)
        for axes, title in zip(panels[0], ["image", *columns], strict=True):
            axes.set_title(wrapped(title, width=max(8, round(side * 13))), fontsize=7)
        for axes in panels.ravel():
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, linewidth=0.4)
        _legend(figure, colour_of, classes, is_seen=is_seen, columns=_legend_columns(side * across))
    return paths(out, name, formats)


def _draw_map(axes: Axes, labels: LabelMap, colour_of: Mapping[int, Colour], *, is_seen: Sequence[bool]) -> None:
    """One label map, with an outline and hatching over what it labels as unseen."""
    order = list(colour_of)
    table = np.zeros(max(256, len(is_seen)), dtype=np.int64)
    table[order] = np.arange(1, len(order) + 1)
    known = _known(labels, len(is_seen))
    palette = ListedColormap([NO_CLASS, *colour_of.values()])
    axes.imshow(
        np.where(known, table[np.where(known, labels, 0)], 0),
        cmap=palette,
        vmin=0,
        vmax=len(order),
        interpolation="nearest",
    )
    is_unseen = known & ~np.array(is_seen)[np.where(known, labels, 0)]
    if is_unseen.any():
        framed = np.pad(is_unseen.astype(float), 1)
        ys, xs = np.arange(-1, labels.shape[0] + 1), np.arange(-1, labels.shape[1] + 1)
        axes.contourf(xs, ys, framed, levels=[0.5, 1.5], colors="none", hatches=[HATCH])
        axes.contour(xs, ys, framed, levels=[0.5], colors="black", linewidths=0.6)
        axes.set(xlim=(-0.5, labels.shape[1] - 0.5), ylim=(labels.shape[0] - 0.5, -0.5))


def _legend(
    figure: Figure, colour_of: Mapping[int, Colour], classes: Sequence[str], *, is_seen: Sequence[bool], columns: int
) -> None:
    handles = [
        Patch(
            facecolor=colour,
            edgecolor="black",
            linewidth=0.4,
            hatch="" if is_seen[at] else HATCH * 2,
            label=classes[at] + ("" if is_seen[at] else UNSEEN_MARK),
        )
        for at, colour in sorted(colour_of.items(), key=lambda item: (not is_seen[item[0]], item[0]))
    ]
    title = f"hatched, {UNSEEN_MARK}: unseen in training; white: not scored"
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=columns, title=title, columnspacing=1.0)
    legend.get_title().set_fontsize(7)


def _legend_columns(width_in: float) -> int:
    return max(2, int(width_in / 1.05))


def _colours(count: int) -> list[Colour]:
    """Hues once around, light and dark in turn, so that neighbours differ in grey as well."""
    around = sns.color_palette("husl", count) if count else []
    factors = (1.0, 0.62)
    toned = [tuple(factors[at % 2] * channel for channel in colour) for at, colour in enumerate(around)]
    return [(red, green, blue) for red, green, blue in toned]


def _shown_classes(columns: Iterable[Sequence[LabelMap]], count: int) -> list[int]:
    """The classes that occur in any map, ascending."""
    present = {int(label) for maps in columns for labels in maps for label in np.unique(labels)}
    return sorted(label for label in present if 0 <= label < count)


def _known(labels: LabelMap, count: int) -> NDArray[np.bool_]:
    return np.asarray((labels >= 0) & (labels < count))


def _check(
    images: Sequence[NDArray[np.uint8]], truths: Sequence[LabelMap], predictions: Mapping[str, Sequence[LabelMap]]
) -> None:
    if not images:
        raise ValueError("there are no images to show: give at least one")
    for label, maps in {"truth": truths, **predictions}.items():
        if len(maps) != len(images):
            raise ValueError(f"{label!r} has {len(maps)} maps for {len(images)} images: give one an image")
        for at, (image, labels) in enumerate(zip(images, maps, strict=True)):
            if labels.shape != image.shape[:2]:
                raise ValueError(f"{label!r} has size {labels.shape} for image {at}, which has {image.shape[:2]}")
