"""Style of all figures and how they are saved: for print, for color-blind readers, with the same bytes every time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from benchmark.evaluation.stats import Interval
from benchmark.report.figures.glyphs import FONT
from benchmark.report.figures.single_pass_figure import SinglePassFigure
from benchmark.utils.atomic_files import open_draft
from benchmark.utils.did_you_mean import explain_unknown_name

COLUMN_IN = 3.4
"""Width of a column of a two-column paper; a page is two columns and the gap."""
PAGE_IN = 7.0
FORMATS = ("png", "pdf")
PRINT_DPI, MAX_PIXELS = 300.0, 16_000
"""Pixels per inch, and the largest width or height in pixels."""
GRAY, PALE = "0.35", "0.8"
MINUS = "\u2212"
"""Minus sign of numbers in texts, as on the axes."""
PALEST = 0.62
"""Largest luma of a color of a row, 0 to 1."""
DASHES = (0, (4, 3))
"""Line style of a reference."""
MARKERS = "osD^vPX<>h"
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))
HATCHES = ("", "////", "....", "xxxx", "----", "oo")
"""Lines of rows and fillings of bars, which tell colors apart in gray."""
LEGEND_LINE_IN, LEGEND_CHARACTER_IN, LEGEND_KEY_IN = 0.14, 0.056, 0.45
"""Height of a line, width of a character, and width of a key with its gaps in a legend."""
INTERVAL_LINES: dict[str, Literal["-", ":"]] = {
    "splits, seeds and images": "-",
    "splits and images": "-",
    "seeds and images": "-",
    "images": ":",
}
"""Line of an interval by the sources of variation that the interval covers."""

_RC: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": GRAY,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "figure.dpi": 100,
    "font.family": FONT,
    "font.size": 8,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "chimera-bench",
    "text.parse_math": False,  # a dollar in a label is a dollar
    "xtick.color": GRAY,
    "xtick.labelcolor": "black",
    "xtick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.color": GRAY,
    "ytick.labelcolor": "black",
    "ytick.labelsize": 7,
    "ytick.major.width": 0.6,
}
_METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None},
}
_HAS_TEXT: ContextVar[bool] = ContextVar("has_text", default=False)


@contextmanager
def keep_text() -> Iterator[None]:
    """Write the texts of SVG figures as text within the block, for pages that bring the font, and not as outlines."""
    token = _HAS_TEXT.set(True)
    try:
        yield
    finally:
        _HAS_TEXT.reset(token)


@contextmanager
def open_figure(
    out: Path, name: str, *, size: tuple[float, float], formats: Sequence[str] = FORMATS
) -> Iterator[Figure]:
    """Open a figure to draw into; it is saved as OUT/NAME.FORMAT in every format when the block ends.

    Args:
        out: Folder of the files; created if it does not exist.
        name: Stem of the files.
        size: Width and height in inches.
        formats: Any of "png", "pdf", "svg".

    Raises:
        ValueError: A format is unknown.
        OSError: A file cannot be written.
    """
    check_formats(formats)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC | ({"svg.fonttype": "none"} if _HAS_TEXT.get() else {}))
        figure = SinglePassFigure(figsize=size, layout="constrained")
        yield figure
        for path in list_paths(out, name, formats):
            kind = path.suffix[1:]
            with open_draft(path) as draft:
                figure.savefig(draft, format=kind, metadata=_METADATA[kind], dpi=_choose_resolution(figure))


def check_formats(formats: Sequence[str]) -> None:
    """Check that figures can be saved in some formats.

    Raises:
        ValueError: A format is unknown; the message names the nearest.
    """
    unknown = [name for name in formats if name not in _METADATA]
    if unknown:
        raise ValueError(explain_unknown_name("figure format", unknown[0], _METADATA))


def _choose_resolution(figure: Figure) -> float:
    """Return the pixels per inch: those for print, or fewer for a figure of hundreds of rows, to save memory."""
    return min(PRINT_DPI, MAX_PIXELS / max(float(side) for side in figure.get_size_inches()))


def list_paths(out: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Return the files of a figure."""
    return [out / f"{name}.{kind}" for kind in formats]


def choose_colors(count: int) -> list[tuple[float, float, float]]:
    """Return colors that color-blind readers can tell apart; after ten they repeat, see `choose_markers`."""
    palette = [_darken(*color) for color in sns.color_palette("colorblind", 10)]
    return list(itertools.islice(itertools.cycle(palette), count))


def _darken(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """Return a color that is no paler than `PALEST`: yellow and pink would be lost on white, the more so in gray."""
    factor = min(1.0, PALEST / (0.299 * red + 0.587 * green + 0.114 * blue))
    return red * factor, green * factor, blue * factor


def choose_markers(count: int) -> list[str]:
    """Return markers, shifted after every ten, so that no pair of color and marker repeats within a hundred."""
    return [MARKERS[(index + index // len(MARKERS)) % len(MARKERS)] for index in range(count)]


def choose_lines(count: int) -> list[Any]:
    """Return line styles, so that lines whose colors look alike in gray differ."""
    return [LINES[index % len(LINES)] for index in range(count)]


def choose_hatches(count: int) -> list[str]:
    """Return fillings of bars, so that bars whose colors look alike in gray differ."""
    return [HATCHES[index % len(HATCHES)] for index in range(count)]


def make_interval_handles(intervals: Iterable[Interval | None], **looks: Any) -> list[Line2D]:
    """Return a legend entry per line of intervals, which says what the intervals cover: of several kinds, all of them.

    Args:
        intervals: Intervals that are drawn.
        looks: Color and width of the lines.
    """
    levels = {interval.kind: interval.level for interval in intervals if interval is not None}
    kinds = {line: [kind for kind in levels if INTERVAL_LINES[kind] == line] for line in INTERVAL_LINES.values()}
    return [
        Line2D([], [], linestyle=line, label=f"{levels[some[0]]:.0%} interval\nover {_join_kinds(some)}", **looks)
        for line, some in kinds.items()
        if some
    ]


def _join_kinds(kinds: Sequence[str]) -> str:
    """Return what intervals of one line cover; deterministic rows have fewer sources of variation than others."""
    return "\nor, if deterministic, ".join(sorted(kinds, key=len, reverse=True))


def draw_grid(axes: Axes, *, axis: Any = "both") -> None:
    """Draw pale lines behind the data."""
    axes.grid(axis=axis, color="0.92", linewidth=0.6)


def draw_legend(figure: Figure, handles: Sequence[Artist], **options: Any) -> Legend:
    """Draw the legend of a figure.

    Args:
        figure: Figure.
        handles: Artists with their labels, which are shown as they are: matplotlib would hide those that begin with an
            underscore.
        options: Options of `Figure.legend`.
    """
    legend = figure.legend(handles=handles, labels=[str(index) for index in range(len(handles))], **options)
    for text, handle in zip(legend.get_texts(), handles, strict=True):
        text.set_text(str(handle.get_label()))
    return legend


def draw_legend_below(figure: Figure, handles: Sequence[Artist], *, columns: int = 4) -> None:
    """Draw a legend below a figure in as many columns as fit, and make the figure higher by the lines beyond the first.

    Args:
        figure: Figure.
        handles: Artists with their labels.
        columns: Largest number of columns.
    """
    lines = [_split_label(handle) for handle in handles]
    for count in range(min(columns, len(handles)), 0, -1):
        places = [range(part[0], part[-1] + 1) for part in np.array_split(range(len(handles)), count)]
        parts = [[lines[index] for index in place] for place in places]
        if sum(measure_legend([handles[index] for index in place]) for place in places) <= figure.get_figwidth():
            break
    height = max(sum(map(len, part)) for part in parts)
    figure.set_figheight(figure.get_figheight() + LEGEND_LINE_IN * (height - 1))
    draw_legend(figure, handles, loc="outside lower center", ncols=count, columnspacing=1.2, handlelength=1.6)


def measure_legend(handles: Sequence[Artist]) -> float:
    """Return the approximate width in inches of a legend in one column."""
    longest = max((len(line) for handle in handles for line in _split_label(handle)), default=0)
    return LEGEND_KEY_IN + LEGEND_CHARACTER_IN * longest


def _split_label(handle: Artist) -> list[str]:
    return str(handle.get_label()).split("\n")
