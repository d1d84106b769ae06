"""All figures of a study, drawn with one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.report.differences import find_baseline
from benchmark.report.figures.class_heatmap import draw_classes
from benchmark.report.figures.hiou_bars import draw_bars
from benchmark.report.figures.loss_curves import draw_curves
from benchmark.report.figures.seen_unseen import draw_gamma, draw_scatter
from benchmark.report.figures.style import FORMATS
from benchmark.report.rows import TABLE_METRICS, Row, find_shared_setting
from benchmark.report.tables.undefined import describe_undefined
from benchmark.store.store import Store


def draw_all(
    rows: Sequence[Row], store: Store, out: Path, *, baseline: str = "", formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Draw every figure for which there is data; equal runs give equal files.

    Args:
        rows: Rows as `rows.read_rows` returns them.
        store: Store that holds the losses of the runs.
        out: Folder of the files.
        baseline: Name of the row that the figure of hIoU marks, see `differences.find_baseline`.
        formats: Any of "png", "pdf", "svg".

    Returns:
        The files: hiou, seen-unseen, gamma, classes, losses, in every format. Without a row whose hIoU is defined, the
        first three are left out, see `describe_left_out`.

    Raises:
        KeyError: The baseline is unknown or ambiguous.
        ValueError: There are no rows, rows are not comparable in one figure, or a format is unknown.
    """
    if not rows:
        raise ValueError("there are no rows to draw: give a study with at least one")
    find_shared_setting(rows)
    bars = draw_bars(rows, out, baseline=find_baseline(rows, baseline), formats=formats)
    drawn = [draw(rows, out, formats=formats) for draw in (draw_scatter, draw_gamma, draw_classes)]
    return [path for files in (bars, *drawn, draw_curves(rows, store, out, formats=formats)) for path in files]


def describe_left_out(rows: Sequence[Row]) -> list[str]:
    """Return one line per reason why scores are missing in the figures, or figures are left out."""
    return describe_undefined(rows, TABLE_METRICS, consequence="no figure of hIoU, seen against unseen, and gamma")
