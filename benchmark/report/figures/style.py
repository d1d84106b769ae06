"""How all figures look, and how they are saved: for print, for the colour-blind, and with the same bytes every time."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.utils.atomic_files import draft_of

COLUMN_IN = 3.4
"""Width of a column of a two-column paper; twice of it, and the gap, is a page."""
PAGE_IN = 7.0
FORMATS = ("png", "pdf")
GREY, PALE = "0.35", "0.8"
MARKERS = "osD^vPX<>h"

_RC: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",  # ships with matplotlib, so that figures are the same everywhere
    "font.size": 8,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
    "svg.fonttype": "path",
    "svg.hashsalt": "chimera-bench",
    "xtick.color": GREY,
    "xtick.labelcolor": "black",
    "xtick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.color": GREY,
    "ytick.labelcolor": "black",
    "ytick.labelsize": 7,
    "ytick.major.width": 0.6,
}
_METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None},
}


@contextmanager
def drawing(out: Path, name: str, *, size: tuple[float, float], formats: Sequence[str] = FORMATS) -> Iterator[Figure]:
    """A figure to draw into, saved as OUT/NAME.FORMAT in every format when the block ends.

    Args:
        out: folder; made where it is missing.
        name: the files' stem.
        size: width and height in inches.
        formats: of "png", "pdf", "svg".

    Raises:
        ValueError: another format.
        OSError: a file cannot be written.
    """
    wrong = [one for one in formats if one not in _METADATA]
    if wrong:
        raise ValueError(f"no figure format {wrong[0]!r}; there are: {', '.join(_METADATA)}")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        for path in paths(out, name, formats):
            kind = path.suffix[1:]
            with draft_of(path) as draft:
                figure.savefig(draft, format=kind, metadata=_METADATA[kind])


def paths(out: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """The files of a figure."""
    return [out / f"{name}.{kind}" for kind in formats]


def colours(count: int) -> list[tuple[float, float, float]]:
    """Ten colours that the colour-blind can tell apart, again from the start after that; go with `markers`."""
    palette = [(red, green, blue) for red, green, blue in sns.color_palette("colorblind", 10)]
    return list(itertools.islice(itertools.cycle(palette), count))


def markers(count: int) -> list[str]:
    """As many markers; after ten they are shifted, so that no pair of colour and marker repeats before a hundred."""
    return [MARKERS[(at + at // len(MARKERS)) % len(MARKERS)] for at in range(count)]


def grid(axes: Axes, *, axis: Any = "both") -> None:
    """Pale lines behind the data."""
    axes.grid(axis=axis, color="0.92", linewidth=0.6)


def shortened(label: str, *, most: int = 34) -> str:
    """A label that leaves room for the figure: cut after a word."""
    return textwrap.shorten(label, most, placeholder=" …") if " " in label else label[:most]


def wrapped(label: str, *, width: int = 24) -> str:
    """A label on at most two lines."""
    return "\n".join(textwrap.wrap(label, width, max_lines=2, placeholder=" …"))
