"""All figures of a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.report.figures.bars import draw_bars
from benchmark.report.figures.curves import draw_curves
from benchmark.report.figures.heatmap import draw_classes
from benchmark.report.figures.style import FORMATS
from benchmark.report.figures.tradeoff import draw_gamma, draw_scatter
from benchmark.report.rows import Row, shared_setting
from benchmark.store.store import Store


def draw_all(rows: Sequence[Row], store: Store, out: Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw every figure for which there is data; equal runs give equal files.

    Args:
        rows: as `rows.collect` gives them.
        store: where the histories of the losses lie.
        out: folder of the files.
        formats: of "png", "pdf", "svg".

    Returns:
        The files: hiou, seen-unseen, gamma, classes, losses, in every format.

    Raises:
        ValueError: no rows, rows that do not belong into one figure, or an unknown format.
    """
    if not rows:
        raise ValueError("there are no rows to draw: give a study with at least one")
    shared_setting(rows)
    drawn = [draw(rows, out, formats=formats) for draw in (draw_bars, draw_scatter, draw_gamma, draw_classes)]
    return [path for files in (*drawn, draw_curves(rows, store, out, formats=formats)) for path in files]
