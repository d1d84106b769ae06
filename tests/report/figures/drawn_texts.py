"""Texts of figures as they are drawn: where they are, and which of them overlap or leave the figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SLACK = 1.0
"""Points by which texts may touch: the boxes of texts have a margin of their own."""


@dataclass(frozen=True)
class DrawnText:
    """Text with its box, and the places of the upright reference lines that may cross it, in points."""

    text: str
    box: Bbox
    lines: tuple[float, ...]


@dataclass
class DrawnTexts:
    """Texts of the figure that was saved last.

    Attributes:
        by_artist: Texts by the identity of their artists.
        problems: Overlapping texts, texts outside of their figure, and texts that a reference line crosses.
    """

    by_artist: dict[int, DrawnText] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def watch_texts(monkeypatch: pytest.MonkeyPatch) -> DrawnTexts:
    """Check the texts of every figure that is saved from now on as svg, whose unit is a point."""
    drawn = DrawnTexts()
    draw, save = Text.draw, Figure.savefig

    def draw_and_note(text: Text, renderer: Any, *rest: Any, **more: Any) -> None:
        draw(text, renderer, *rest, **more)
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent(renderer)
            drawn.by_artist[id(text)] = DrawnText(text.get_text(), box, _list_reference_lines(text))

    def save_and_check(figure: Figure, *arguments: Any, **options: Any) -> None:
        drawn.by_artist.clear()
        save(figure, *arguments, **options)
        drawn.problems += _list_problems(list(drawn.by_artist.values()), *(72 * figure.get_size_inches()))

    monkeypatch.setattr(Text, "draw", draw_and_note)
    monkeypatch.setattr(Figure, "savefig", save_and_check)
    return drawn


def _list_reference_lines(text: Text) -> tuple[float, ...]:
    """Return the places of upright reference lines in the axes of a text that does not hide them."""
    axes = text.axes
    if axes is None or text not in axes.texts or text.get_bbox_patch() is not None:
        return ()
    lines = [line for line in axes.lines if line.get_transform() == axes.get_xaxis_transform(which="grid")]
    return tuple(float(axes.transData.transform((np.asarray(line.get_xdata())[0], 0))[0]) for line in lines)


def _list_problems(texts: Sequence[DrawnText], width: float, height: float) -> list[str]:
    outside = [
        f"{one.text!r} leaves the figure"
        for one in texts
        if one.box.x0 < -SLACK or one.box.y0 < -SLACK or one.box.x1 > width + SLACK or one.box.y1 > height + SLACK
    ]
    pairs = [f"{a.text!r} overlaps {b.text!r}" for a, b in combinations(texts, 2) if _overlap(a.box, b.box)]
    crossed = [f"a line crosses {one.text!r}" for one in texts for x in one.lines if one.box.x0 < x < one.box.x1]
    return [*outside, *pairs, *crossed]


def _overlap(box: Bbox, other: Bbox) -> bool:
    across = min(box.x1, other.x1) - max(box.x0, other.x0)
    down = min(box.y1, other.y1) - max(box.y0, other.y0)
    return bool(across > SLACK and down > SLACK)
