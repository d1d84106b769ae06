"""Figure of segmentations: image, target, and the prediction of every method. Drawing only; maps come as arrays."""

from __future__ import annotations

import textwrap
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
from benchmark.report.figures.glyphs import show_text
from benchmark.report.figures.short_labels import list_label_key, wrap_labels
from benchmark.report.figures.style import FORMATS, PAGE_IN, draw_legend, list_paths, open_figure
from benchmark.report.tables.layout import UNSEEN_MARK

LabelMap: TypeAlias = NDArray[np.integer]
Color: TypeAlias = tuple[float, float, float]

HATCH = "////"
MAX_METHODS, TITLES_IN = 6, 0.35
"""Methods side by side, and height of the titles above them."""
NOTE_CHARACTERS_PER_IN = 19
"""Characters of a note that an inch of its line holds."""
NO_CLASS: Color = (1.0, 1.0, 1.0)


def choose_images(counts: Counts, *, count: int = 4) -> list[str]:
    """Choose images to show by their targets alone, never by the quality of predictions.

    Images are taken one after the other: the one with most unseen classes not shown yet, then most unseen classes, then
    most classes; the first by id if several are equal.

    Args:
        counts: Counts of any run on the split.
        count: Number of images; fewer are chosen if there are no more.

    Returns:
        Ids of the images, in the order of choice.
    """
    present = (counts.target > 0).toarray()  # (N, K)
    unseen = ~np.array(counts.seen)  # (K,)
    remaining, shown = list(range(len(counts.image_ids))), np.zeros(len(counts.classes), dtype=bool)
    chosen: list[int] = []
    while remaining and len(chosen) < count:
        ranks = [
            ((present[n] & unseen & ~shown).sum(), (present[n] & unseen).sum(), present[n].sum()) for n in remaining
        ]
        best = remaining.pop(max(range(len(remaining)), key=ranks.__getitem__))
        shown |= present[best]
        chosen.append(best)
    return [counts.image_ids[n] for n in chosen]


def draw_segmentations(
    images: Sequence[NDArray[np.uint8]],
    targets: Sequence[LabelMap],
    predictions: Mapping[str, Sequence[LabelMap]],
    *,
    classes: Sequence[str],
    is_seen: Sequence[bool],
    out: Path,
    image_ids: Sequence[str] = (),
    note: str = "",
    name: str = "qualitative",
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Draw a row per image with the columns image, target and one per method; unseen classes are hatched.

    More than `MAX_METHODS` methods are in several bands, each with the images and targets again.

    Args:
        images: (H, W, 3) RGB each.
        targets: (H, W) indices into `classes` each; other values (255) are not scored and stay white.
        predictions: One (H, W) map per image, by label of the method.
        classes: Names of the K classes.
        is_seen: K flags: whether the class has masks in training.
        out: Folder of the files.
        image_ids: Names of the images, written beside them; empty for none.
        note: Sentence below the legend, such as how the images were chosen; empty for none.
        name: Stem of the files.
        formats: Any of "png", "pdf", "svg".

    Raises:
        ValueError: There are no images, or maps differ from them in number or size.
    """
    _check(images, targets, predictions)
    bands = split_columns(targets, predictions)
    colors = _choose_colors(_find_classes((targets, *predictions.values()), len(classes)))
    across = max(map(len, bands)) + 1
    side = min(1.6, PAGE_IN / across)
    legend_columns = max(2, int(side * across / 1.05))
    titles = _wrap_titles(["target", *predictions], width=max(8, round(side * 13)))
    lines = _wrap_texts([note, "; ".join(list_label_key([*titles], [*titles.values()]))], width_in=side * across)
    ratios = [image.shape[0] / image.shape[1] for image in images]
    legend_lines = -(-len(colors) // legend_columns) + 1 + 0.7 * len(lines)
    height = (side * sum(ratios) + TITLES_IN) * len(bands) + 0.17 * legend_lines
    with open_figure(out, name, size=(side * across, height), formats=formats) as figure:
        panels = figure.subplots(len(bands) * len(images), across, squeeze=False, height_ratios=ratios * len(bands))
        for columns, band in zip(bands, np.split(panels, len(bands)), strict=True):
            _draw_band(band, images, list(columns.values()), colors=colors, is_seen=is_seen)
            _label_panels(band[:, : len(columns) + 1], ["image", *map(titles.__getitem__, columns)], image_ids)
        _draw_legend(figure, _make_handles(colors, classes, is_seen=is_seen), columns=legend_columns, lines=lines)
    return list_paths(out, name, formats)


def split_columns(
    targets: Sequence[LabelMap], predictions: Mapping[str, Sequence[LabelMap]]
) -> list[dict[str, Sequence[LabelMap]]]:
    """Return the columns behind the images, in bands of equal width one below the other if there are many.

    Args:
        targets: Maps of the first column, which every band repeats.
        predictions: Maps of the other columns, by label of the method.
    """
    number = max(1, -(-len(predictions) // MAX_METHODS))
    size = -(-len(predictions) // number)
    items = list(predictions.items())
    return [{"target": targets, **dict(items[at * size : (at + 1) * size])} for at in range(number)]


def _wrap_titles(names: Sequence[str], *, width: int) -> dict[str, str]:
    """Return the titles of columns by their names, no line of them wider than its column."""
    return dict(zip(names, wrap_labels(names, width=width, widest=width), strict=True))


def _wrap_texts(texts: Sequence[str], *, width_in: float) -> list[str]:
    width = round(width_in * NOTE_CHARACTERS_PER_IN)
    return [line for text in texts for line in textwrap.wrap(show_text(text), width)]


def _label_panels(panels: NDArray[np.object_], titles: Sequence[str], image_ids: Sequence[str]) -> None:
    """Set the titles of the columns and the names of the rows, and replace ticks by thin frames.

    Args:
        panels: (rows, columns) axes.
        titles: Titles of the columns.
        image_ids: Names of the rows; empty for none.
    """
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, fontsize=7)
    for axes, image_id in zip(panels[:, 0], image_ids, strict=False):
        axes.set_ylabel(show_text(image_id), fontsize=5)
    for axes in panels.ravel():
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, linewidth=0.4)


def _draw_band(
    panels: NDArray[np.object_],
    images: Sequence[NDArray[np.uint8]],
    columns: Sequence[Sequence[LabelMap]],
    *,
    colors: Mapping[int, Color],
    is_seen: Sequence[bool],
) -> None:
    """Draw a row per image of axes: the image, and its map of every column; hide the other axes."""
    for index, row in enumerate(panels):
        row[0].imshow(images[index], interpolation="nearest")
        for axes, maps in zip(row[1:], columns, strict=False):
            _draw_map(axes, maps[index], colors, is_seen=is_seen)
        for axes in row[len(columns) + 1 :]:
            axes.axis("off")


def _draw_map(axes: Axes, labels: LabelMap, colors: Mapping[int, Color], *, is_seen: Sequence[bool]) -> None:
    """Draw one (H, W) label map, with an outline and hatching over its unseen classes."""
    # Colors by class, 0 for no class
    order = list(colors)
    table = np.zeros(max(256, len(is_seen)), dtype=np.int64)
    table[order] = np.arange(1, len(order) + 1)
    is_known = _is_class(labels, len(is_seen))  # (H, W)
    indices = np.where(is_known, table[np.where(is_known, labels, 0)], 0)  # (H, W)
    palette = ListedColormap([NO_CLASS, *colors.values()])
    axes.imshow(indices, cmap=palette, vmin=0, vmax=len(order), interpolation="nearest")

    # Outline and hatching, with a border of one pixel so that outlines close at the edge
    is_unseen = is_known & ~np.array(is_seen)[np.where(is_known, labels, 0)]
    if is_unseen.any():
        padded = np.pad(is_unseen.astype(float), 1)  # (H + 2, W + 2)
        ys, xs = np.arange(-1, labels.shape[0] + 1), np.arange(-1, labels.shape[1] + 1)
        axes.contourf(xs, ys, padded, levels=[0.5, 1.5], colors="none", hatches=[HATCH])
        axes.contour(xs, ys, padded, levels=[0.5], colors="black", linewidths=0.6)
        axes.set(xlim=(-0.5, labels.shape[1] - 0.5), ylim=(labels.shape[0] - 0.5, -0.5))


def _make_handles(colors: Mapping[int, Color], classes: Sequence[str], *, is_seen: Sequence[bool]) -> list[Patch]:
    """Return a legend entry per class, seen classes first."""
    return [
        Patch(
            facecolor=color,
            edgecolor="black",
            linewidth=0.4,
            hatch="" if is_seen[k] else HATCH * 2,
            label=show_text(classes[k]) + ("" if is_seen[k] else UNSEEN_MARK),
        )
        for k, color in sorted(colors.items(), key=lambda item: (not is_seen[item[0]], item[0]))
    ]


def _draw_legend(figure: Figure, handles: Sequence[Patch], *, columns: int, lines: Sequence[str]) -> None:
    """Draw the legend of the classes below the images.

    Args:
        figure: Figure.
        handles: Entries.
        columns: Number of columns.
        lines: Further lines of its title.
    """
    title = "\n".join(
        [f"hatched, {UNSEEN_MARK}: unseen in training; white: not scored, or predicted as no class", *lines]
    )
    legend = draw_legend(figure, handles, loc="outside lower center", ncols=columns, title=title, columnspacing=1.0)
    legend.get_title().set(fontsize=7, multialignment="center")


def _choose_colors(classes: Sequence[int]) -> dict[int, Color]:
    """Return hues once around the circle, light and dark in turn, so that neighbors differ in gray as well."""
    hues = sns.color_palette("husl", len(classes)) if classes else []
    factors = (1.0, 0.62)
    tones = [tuple(factors[index % 2] * channel for channel in hue) for index, hue in enumerate(hues)]
    return {k: (red, green, blue) for k, (red, green, blue) in zip(classes, tones, strict=True)}


def _find_classes(columns: Iterable[Sequence[LabelMap]], count: int) -> list[int]:
    """Return the classes that occur in any map, ascending."""
    present = {int(label) for maps in columns for labels in maps for label in np.unique(labels)}
    return sorted(label for label in present if 0 <= label < count)


def _is_class(labels: LabelMap, count: int) -> NDArray[np.bool_]:
    """Return whether each label of a (H, W) map is one of `count` classes, (H, W)."""
    return np.asarray((labels >= 0) & (labels < count))


def _check(
    images: Sequence[NDArray[np.uint8]], targets: Sequence[LabelMap], predictions: Mapping[str, Sequence[LabelMap]]
) -> None:
    if not images:
        raise ValueError("there are no images to show: give at least one")
    for label, maps in {"target": targets, **predictions}.items():
        if len(maps) != len(images):
            raise ValueError(f"{label!r} has {len(maps)} maps for {len(images)} images: give one per image")
        for index, (image, labels) in enumerate(zip(images, maps, strict=True)):
            if labels.shape != image.shape[:2]:
                raise ValueError(f"{label!r} has size {labels.shape} for image {index}, which has {image.shape[:2]}")
