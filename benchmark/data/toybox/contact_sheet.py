"""A contact sheet of the toybox: every class in three scenes, with its name and whether it is seen."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmark.core.split import Split
from benchmark.data.toybox.scene import CLASSES, SIZE, Scene, scene
from benchmark.data.toybox.stuff import STUFF
from benchmark.data.toybox.things import THINGS
from benchmark.utils.atomic_files import draft_of
from benchmark.utils.did_you_mean import unknown_name

SPECIMENS = 3
"""Pictures of every class."""

_STUFF_SIDE, _THING_EXTENT = 48, 20
_COLUMNS = 5
_TILE, _GAP, _CELL_GAP, _MARGIN = 72, 4, 24, 28
_NAME_HEIGHT, _CELL_HEIGHT, _TITLE_HEIGHT, _GROUP_HEIGHT = 28, 120, 78, 32
_CELL_WIDTH = SPECIMENS * _TILE + (SPECIMENS - 1) * _GAP
_WIDTH = 2 * _MARGIN + _COLUMNS * _CELL_WIDTH + (_COLUMNS - 1) * _CELL_GAP
_PAPER, _INK, _QUIET, _SEEN, _UNSEEN = "#ffffff", "#1c2430", "#6b7482", "#2f6f9f", "#c2410c"

Tile = NDArray[np.uint8]
"""A square picture (side, side, 3)."""

Box = tuple[int, int, int]
"""Top, left and side of a square, in pixels."""


def write_sheet(path: Path, split: Split) -> Path:
    """Draw the sheet to a PNG file; the same bytes every time, with the same Pillow.

    Raises:
        ValueError: the split is of another world.
    """
    sheet = class_sheet(split)
    with draft_of(path) as draft:
        sheet.save(draft, format="PNG", optimize=True)
    return path


def class_sheet(split: Split) -> Image.Image:
    """The sheet of a split's classes: stuff above, things below, the unseen ones marked.

    Raises:
        ValueError: the split is of another world.
    """
    groups, tiles = _groups(split), specimens(split.classes)
    rows = sum(_rows(names) for names in groups.values())
    height = _TITLE_HEIGHT + len(groups) * _GROUP_HEIGHT + rows * _CELL_HEIGHT + _MARGIN // 2
    sheet = Image.new("RGB", (_WIDTH, height), _PAPER)
    pen, top = ImageDraw.Draw(sheet), _TITLE_HEIGHT
    _draw_title(pen, split)
    for title, names in groups.items():
        pen.text((_MARGIN, top), title, fill=_QUIET, font=_font(18))
        top += _GROUP_HEIGHT
        for place, name in enumerate(names):
            row, column = divmod(place, _COLUMNS)
            corner = (_MARGIN + column * (_CELL_WIDTH + _CELL_GAP), top + row * _CELL_HEIGHT)
            _draw_cell(sheet, corner, name=name, is_seen=name in split.seen, tiles=tiles[name])
        top += _rows(names) * _CELL_HEIGHT
    return sheet


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _rows(names: list[str]) -> int:
    return -(-len(names) // _COLUMNS)


def specimens(classes: tuple[str, ...]) -> dict[str, list[Tile]]:
    """`SPECIMENS` crops a class from scenes of the part "sheet", the first that show it well."""
    found: dict[str, list[Tile]] = {name: [] for name in classes}
    index, enough = 0, range(SPECIMENS)
    while any(len(tiles) < SPECIMENS for tiles in found.values()):
        view = scene("sheet", index)
        index += 1
        for name in view.tags:
            box = _box(view, name) if len(found.get(name, enough)) < SPECIMENS else None
            if box is not None:
                top, left, side = box
                found[name].append(view.image[top : top + side, left : left + side])
    return found


def _groups(split: Split) -> dict[str, list[str]]:
    unknown = [name for name in split.classes if name not in CLASSES]
    if unknown:
        raise ValueError(f"split {split.name!r} is not of the toybox: {unknown_name('class', unknown[0], CLASSES)}")
    by_kind = {"stuff": list(STUFF), "things": list(THINGS)}
    groups = {kind: [name for name in names if name in split.classes] for kind, names in by_kind.items()}
    return {kind: names for kind, names in groups.items() if names}


def _box(view: Scene, name: str) -> Box | None:
    """A square that shows a class well, if there is one."""
    mask = view.labels == CLASSES.index(name)
    return _thing_box(view.labels, mask) if name in THINGS else _stuff_box(mask)


def _thing_box(labels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Box | None:
    """Around an object that no edge cuts off and no other object touches, with room on each side."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    extent = max(bottom - top, right - left)
    is_cut = top == 0 or left == 0 or bottom == SIZE or right == SIZE
    is_alone = bool((mask | (labels < len(STUFF)))[top:bottom, left:right].all())
    if is_cut or not is_alone or extent < _THING_EXTENT:
        return None
    side = min(SIZE, extent * 3 // 2)
    y, x = (top + bottom - side) // 2, (left + right - side) // 2
    return min(max(0, y), SIZE - side), min(max(0, x), SIZE - side), side


def _stuff_box(mask: NDArray[np.bool_]) -> Box | None:
    """Where the texture fills between half and nine tenths of the square, so that a neighbour shows too."""
    starts = (0, (SIZE - _STUFF_SIDE) // 2, SIZE - _STUFF_SIDE)
    for top in starts:
        for left in starts:
            share = mask[top : top + _STUFF_SIDE, left : left + _STUFF_SIDE].mean()
            if 0.5 <= share <= 0.9:
                return top, left, _STUFF_SIDE
    return None


def _draw_title(pen: ImageDraw.ImageDraw, split: Split) -> None:
    title = f"{split.dataset}: {len(split.classes)} classes"
    pen.text((_MARGIN, 22), title, fill=_INK, font=_font(28))
    font, right = _font(18), _WIDTH - _MARGIN
    unseen = (f"{len(split.unseen)} unseen: no masks in training", _UNSEEN)
    for label, colour in (unseen, (f"{len(split.seen)} seen", _SEEN)):
        right -= int(pen.textlength(label, font=font))
        pen.text((right, 28), label, fill=_INK, font=font)
        _draw_chip(pen, (right - 22, 34), colour=colour)
        right -= 56


def _draw_chip(pen: ImageDraw.ImageDraw, corner: tuple[int, int], *, colour: str) -> None:
    left, top = corner
    pen.rectangle((left, top, left + 12, top + 12), fill=colour)


def _draw_cell(sheet: Image.Image, corner: tuple[int, int], *, name: str, is_seen: bool, tiles: list[Tile]) -> None:
    left, top = corner
    pen = ImageDraw.Draw(sheet)
    _draw_chip(pen, (left, top + 6), colour=_SEEN if is_seen else _UNSEEN)
    pen.text((left + 21, top), name, fill=_INK if is_seen else _UNSEEN, font=_font(18))
    for place, tile in enumerate(tiles):
        enlarged = Image.fromarray(tile).resize((_TILE, _TILE), Image.Resampling.BICUBIC)
        sheet.paste(enlarged, (left + place * (_TILE + _GAP), top + _NAME_HEIGHT))
