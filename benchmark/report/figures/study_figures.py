"""All figures of a study, drawn with one call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.report.figures.class_dumbbells import draw_dumbbells
from benchmark.report.figures.class_heatmap import draw_classes
from benchmark.report.figures.cost_pareto import draw_cost
from benchmark.report.figures.difference_forest import draw_forest
from benchmark.report.figures.gamma_curves import draw_gamma
from benchmark.report.figures.glyphs import find_missing
from benchmark.report.figures.hiou_bars import draw_bars
from benchmark.report.figures.loss_curves import draw_curves
from benchmark.report.figures.published_points import collect_published
from benchmark.report.figures.seen_unseen import draw_scatter
from benchmark.report.figures.setting_curves import draw_settings
from benchmark.report.figures.short_labels import list_label_key, shorten_labels, wrap_labels
from benchmark.report.figures.shown_rows import find_limit, show_first
from benchmark.report.figures.split_effects import draw_effects
from benchmark.report.figures.style import FORMATS, list_paths
from benchmark.report.imported import describe_missing_scores
from benchmark.report.rows import TABLE_METRICS
from benchmark.report.study_results import GroupResults, StudyResults
from benchmark.report.tables.undefined import describe_undefined_group
from benchmark.store.store import Store


class DrawnFigures(NamedTuple):
    """Files of figures, and what they leave out.

    Attributes:
        paths: Files.
        left_out: Lines on figures without data and on rows that figures do not show, group by group.
    """

    paths: list[Path]
    left_out: list[str]


@dataclass(frozen=True, eq=False)
class FigureJob:
    """What the figures of a group are drawn from, and where to.

    Attributes:
        group: Results.
        store: Store that holds the losses of the runs.
        out: Folder of the files.
        options: Title and formats, which every figure has.
    """

    group: GroupResults
    store: Store
    out: Path
    options: dict[str, Any]


def _draw_seen_unseen(job: FigureJob) -> list[Path]:
    published = collect_published(job.group.rows, job.group.setting)
    return draw_scatter(job.group.rows, job.out, published=published, **job.options)


class StudyFigure(NamedTuple):
    """One figure: function that draws it, and what is missing if it draws none."""

    draw: Callable[[FigureJob], list[Path]]
    lacking: str


FIGURES: dict[str, StudyFigure] = {
    "hiou": StudyFigure(
        lambda job: draw_bars(job.group.rows, job.out, baseline=job.group.baseline, **job.options),
        "no row has a defined hIoU",
    ),
    "differences": StudyFigure(
        lambda job: draw_forest(job.group, job.out, **job.options), "no row can be compared with the baseline"
    ),
    "effect-by-split": StudyFigure(
        lambda job: draw_effects(job.group, job.out, **job.options), "no row is compared over several splits"
    ),
    "seen-unseen": StudyFigure(_draw_seen_unseen, "no row has a defined hIoU"),
    "gamma": StudyFigure(
        lambda job: draw_gamma(job.group.rows, job.out, **job.options), "no row has a defined hIoU and scores"
    ),
    "settings": StudyFigure(
        lambda job: draw_settings(job.group.rows, job.out, **job.options), "no two rows differ in one number alone"
    ),
    "classes": StudyFigure(lambda job: draw_classes(job.group.rows, job.out, **job.options), "no run is done"),
    "class-differences": StudyFigure(
        lambda job: draw_dumbbells(job.group, job.out, **job.options), "no row can be compared with the baseline"
    ),
    "cost": StudyFigure(
        lambda job: draw_cost(job.group.rows, job.out, **job.options), "no measured cost differs between rows"
    ),
    "losses": StudyFigure(
        lambda job: draw_curves(job.group.rows, job.store, job.out, **job.options), "no run has losses"
    ),
}
"""Figures by the stem of their files, in the order in which they are drawn."""


def draw_all(results: StudyResults, store: Store, out: Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw every figure for which there is data and return the files, see `draw_figures`."""
    return draw_figures(results, store, out, formats=formats).paths


def draw_figures(results: StudyResults, store: Store, out: Path, *, formats: Sequence[str] = FORMATS) -> DrawnFigures:
    """Draw every figure for which there is data; equal runs give equal files.

    Args:
        results: Results as `study_results.collect_results` returns them; the figure of hIoU marks the baseline.
        store: Store that holds the losses of the runs.
        out: Folder of the files. The figures of several groups are in a folder per group below it.
        formats: Any of "png", "pdf", "svg".

    Raises:
        ValueError: A format is unknown.
    """
    drawn = DrawnFigures([], [])
    for group, folder in zip(results.groups, _list_folders(results, out), strict=True):
        title = "" if len(results.groups) == 1 else group.name
        job = FigureJob(group, store, folder, {"title": title, "formats": formats})
        files = {name: figure.draw(replace(job, group=show_first(group, name))) for name, figure in FIGURES.items()}
        drawn.paths.extend(path for paths in files.values() for path in paths)
        place = f"{title}: " if title else ""
        drawn.left_out.extend(place + text for text in _describe_gaps(files, num_rows=len(group.rows)))
    return drawn


def _describe_gaps(files: Mapping[str, Sequence[Path]], *, num_rows: int) -> Iterator[str]:
    """Yield a line on the figures of a group without files, and one on those that do not show all of its rows."""
    lacking: dict[str, list[str]] = {}
    partial: dict[int, list[str]] = {}
    for name, paths in files.items():
        if not paths:
            lacking.setdefault(FIGURES[name].lacking, []).append(name)
        elif (most := find_limit(name)) is not None and num_rows > most:
            partial.setdefault(most, []).append(name)
    if lacking:
        parts = [f"{', '.join(names)} ({reason})" for reason, names in lacking.items()]
        yield f"figures left out: {'; '.join(parts)}"
    if partial:
        parts = [f"the first {most} are in {', '.join(names)}" for most, names in partial.items()]
        yield f"of {num_rows} rows, {'; '.join(parts)}: name fewer rows, or put others first by --sort"


def list_figures(results: StudyResults, out: Path, formats: Sequence[str]) -> list[Path]:
    """Return the files that `draw_figures` may write; it leaves out those for which there is no data."""
    return [
        path for folder in _list_folders(results, out) for name in FIGURES for path in list_paths(folder, name, formats)
    ]


def _list_folders(results: StudyResults, out: Path) -> list[Path]:
    """Return the folder of the figures of every group."""
    if len(results.groups) == 1:
        return [out]
    return [out / name for name in name_folders([group.name for group in results.groups])]


def name_folders(names: Sequence[str]) -> list[str]:
    """Return a different folder name per name, of a-z, 0-9, dots and hyphens."""
    slugs = [re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "split" for name in names]
    return [
        slug if slugs.count(slug) == 1 else f"{slug}-{slugs[: index + 1].count(slug)}"
        for index, slug in enumerate(slugs)
    ]


def describe_left_out(results: StudyResults) -> list[str]:
    """Return one line per reason why scores are missing in the figures, figures are left out, or texts are replaced."""
    notes = []
    for group in results.groups:
        place = f"{group.name}: " if len(results.groups) > 1 else ""
        texts = describe_undefined_group(
            group, TABLE_METRICS, consequence="no figure of hIoU, seen against unseen, and gamma"
        )
        texts += describe_missing_scores(group.rows, consequence="left out of the figure of gamma")
        notes += [place + text for text in texts]
        labels = [row.label for row in show_first(group, "hiou").rows]
        key = [text for short in (shorten_labels, wrap_labels) for text in list_label_key(labels, short(labels))]
        notes += [f"{place}in the figures, {'; '.join(dict.fromkeys(key))}"] if key else []
    classes = {name for row in results.rows for counts in row.counts for name in counts.classes}
    missing = find_missing("".join([*(row.label for row in results.rows), *sorted(classes)]))
    if missing:
        notes.append(
            f"the font of the figures has no {' '.join(missing)}: labels have code points in their place, such as "
            f"<U+{ord(missing[0]):04X}>; tables show them as written"
        )
    return notes
