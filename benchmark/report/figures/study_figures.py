"""All figures of a study, drawn with one call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from benchmark.report.figures.class_heatmap import draw_classes
from benchmark.report.figures.glyphs import find_missing
from benchmark.report.figures.hiou_bars import draw_bars
from benchmark.report.figures.loss_curves import draw_curves
from benchmark.report.figures.seen_unseen import draw_gamma, draw_scatter
from benchmark.report.figures.short_labels import list_label_key, shorten_labels, wrap_labels
from benchmark.report.figures.split_effects import draw_effects
from benchmark.report.figures.style import FORMATS
from benchmark.report.imported import describe_missing_scores
from benchmark.report.rows import TABLE_METRICS
from benchmark.report.study_results import GroupResults, StudyResults
from benchmark.report.tables.undefined import describe_undefined_group
from benchmark.store.store import Store


def draw_all(results: StudyResults, store: Store, out: Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw every figure for which there is data; equal runs give equal files.

    Args:
        results: Results as `study_results.collect_results` returns them; the figure of hIoU marks the baseline.
        store: Store that holds the losses of the runs.
        out: Folder of the files. The figures of several groups are in a folder per group below it.
        formats: Any of "png", "pdf", "svg".

    Returns:
        The files: hiou, seen-unseen, gamma, classes, losses, in every format. Without a row whose hIoU is defined, the
        first three are left out, see `describe_left_out`.

    Raises:
        ValueError: A format is unknown.
    """
    if len(results.groups) == 1:
        return _draw_group(results.groups[0], store, out, title="", formats=formats)
    folders = name_folders([group.name for group in results.groups])
    return [
        path
        for group, folder in zip(results.groups, folders, strict=True)
        for path in _draw_group(group, store, out / folder, title=group.name, formats=formats)
    ]


def _draw_group(group: GroupResults, store: Store, out: Path, *, title: str, formats: Sequence[str]) -> list[Path]:
    rows = group.rows
    bars = draw_bars(rows, out, baseline=group.baseline, title=title, formats=formats)
    effects = draw_effects(group, out, title=title, formats=formats)
    drawn = [draw(rows, out, title=title, formats=formats) for draw in (draw_scatter, draw_gamma, draw_classes)]
    losses = draw_curves(rows, store, out, title=title, formats=formats)
    return [path for files in (bars, effects, *drawn, losses) for path in files]


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
        labels = [row.label for row in group.rows]
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
