"""A contact sheet of the toybox: three examples of every class, with its name and whether it is seen."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmark.core.split import Split
from benchmark.data.toybox.canvas import SIZE
from benchmark.data.toybox.scene import CLASSES, ToyScene, draw_scene
from benchmark.data.toybox.stuff import STUFF
from benchmark.data.toybox.things import THINGS
from benchmark.utils.atomic_files import open_draft
from benchmark.utils.did_you_mean import explain_unknown_name

EXAMPLES = 3
"""Examples per class."""

_STUFF_SIDE, _THING_EXTENT = 48, 20
_COLUMNS = 4
_TILE, _GAP, _CELL_GAP, _MARGIN = 72, 4, 24, 28
_NAME_HEIGHT, _CELL_HEIGHT, _TITLE_HEIGHT, _GROUP_HEIGHT = 28, 120, 78, 32
_CELL_WIDTH = EXAMPLES * _TILE + (EXAMPLES - 1) * _GAP
_WIDTH = 2 * _MARGIN + _COLUMNS * _CELL_WIDTH + (_COLUMNS - 1) * _CELL_GAP
_PAPER, _INK, _GRAY, _SEEN, _UNSEEN = "#ffffff", "#1c2430", "#6b7482", "#2f6f9f", "#c2410c"

Tile = NDArray[np.uint8]
"""A square image (side, side, 3)."""

Square = tuple[int, int, int]
"""Top, left and side of a square, in pixels."""


def write_contact_sheet(path: Path, split: Split) -> Path:
    """Draw the contact sheet to a PNG file; the bytes depend only on the version of Pillow.

    Raises:
        ValueError: The split does not belong to the toybox.
    """
    sheet = draw_contact_sheet(split)
    with open_draft(path) as draft:
        sheet.save(draft, format="PNG", optimize=True)
    return path


def draw_contact_sheet(split: Split) -> Image.Image:
    """Draw the classes of a split: stuff at the top, things below, unseen classes marked.

    Raises:
        ValueError: The split does not belong to the toybox.
    """
    groups, tiles = _group_classes(split), cut_examples(split.classes)
    rows = sum(_count_rows(names) for names in groups.values())
    height = _TITLE_HEIGHT + len(groups) * _GROUP_HEIGHT + rows * _CELL_HEIGHT + _MARGIN // 2
    sheet = Image.new("RGB", (_WIDTH, height), _PAPER)
    pen, top = ImageDraw.Draw(sheet), _TITLE_HEIGHT
    _draw_title(pen, split)
    for title, names in groups.items():
        pen.text((_MARGIN, top), title, fill=_GRAY, font=_load_font(18))
        top += _GROUP_HEIGHT
        for position, name in enumerate(names):
            row, column = divmod(position, _COLUMNS)
            corner = (_MARGIN + column * (_CELL_WIDTH + _CELL_GAP), top + row * _CELL_HEIGHT)
            _draw_cell(sheet, corner, name=name, is_seen=name in split.seen, tiles=tiles[name])
        top += _count_rows(names) * _CELL_HEIGHT
    return sheet


def cut_examples(classes: tuple[str, ...]) -> dict[str, list[Tile]]:
    """Cut `EXAMPLES` tiles per class, from the first scenes of the subset "sheet" that show the class well.

    Returns:
        Tiles (side, side, 3) by class name.
    """
    tiles: dict[str, list[Tile]] = {name: [] for name in classes}
    index = 0
    while any(len(examples) < EXAMPLES for examples in tiles.values()):
        scene = draw_scene("sheet", index)
        index += 1
        for name in scene.tags:
            needs_more = name in tiles and len(tiles[name]) < EXAMPLES
            square = _find_square(scene, name) if needs_more else None
            if square is not None:
                top, left, side = square
                tiles[name].append(scene.image[top : top + side, left : left + side])
    return tiles


@cache
def _load_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _count_rows(names: list[str]) -> int:
    return -(-len(names) // _COLUMNS)


def _group_classes(split: Split) -> dict[str, list[str]]:
    unknown = [name for name in split.classes if name not in CLASSES]
    if unknown:
        reason = explain_unknown_name("class", unknown[0], CLASSES)
        raise ValueError(f"split {split.name!r} does not belong to the toybox: {reason}")
    by_kind = {"stuff": list(STUFF), "things": list(THINGS)}
    groups = {kind: [name for name in names if name in split.classes] for kind, names in by_kind.items()}
    return {kind: names for kind, names in groups.items() if names}


def _find_square(scene: ToyScene, name: str) -> Square | None:
    """Return a square that shows a class well, or None."""
    mask = scene.labels == CLASSES.index(name)
    return _find_thing_square(scene.labels, mask) if name in THINGS else _find_stuff_square(mask)


def _find_thing_square(labels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Square | None:
    """Return a square with margin around an object; None if the object is small, cut off or touched by another one."""
    # bounding box of the object
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    extent = max(bottom - top, right - left)
    is_cut_off = top == 0 or left == 0 or bottom == SIZE or right == SIZE
    is_alone = bool((mask | (labels < len(STUFF)))[top:bottom, left:right].all())
    if is_cut_off or not is_alone or extent < _THING_EXTENT:
        return None
    # square around the box, inside the image
    side = min(SIZE, extent * 3 // 2)
    y, x = (top + bottom - side) // 2, (left + right - side) // 2
    return min(max(0, y), SIZE - side), min(max(0, x), SIZE - side), side


def _find_stuff_square(mask: NDArray[np.bool_]) -> Square | None:
    """Return a square that is covered between 50 % and 90 %, so that a neighboring class is visible too; or None."""
    starts = (0, (SIZE - _STUFF_SIDE) // 2, SIZE - _STUFF_SIDE)
    for top in starts:
        for left in starts:
            share = mask[top : top + _STUFF_SIDE, left : left + _STUFF_SIDE].mean()
            if 0.5 <= share <= 0.9:
                return top, left, _STUFF_SIDE
    return None


def _draw_title(pen: ImageDraw.ImageDraw, split: Split) -> None:
    title = f"{split.dataset}: {len(split.classes)} classes"
    pen.text((_MARGIN, 22), title, fill=_INK, font=_load_font(28))
    font, right = _load_font(18), _WIDTH - _MARGIN
    unseen = (f"{len(split.unseen)} unseen: no masks in training", _UNSEEN)
    for label, color in (unseen, (f"{len(split.seen)} seen", _SEEN)):
        right -= int(pen.textlength(label, font=font))
        pen.text((right, 28), label, fill=_INK, font=font)
        _draw_swatch(pen, (right - 22, 34), color=color)
        right -= 56


def _draw_swatch(pen: ImageDraw.ImageDraw, corner: tuple[int, int], *, color: str) -> None:
    left, top = corner
    pen.rectangle((left, top, left + 12, top + 12), fill=color)


def _draw_cell(sheet: Image.Image, corner: tuple[int, int], *, name: str, is_seen: bool, tiles: list[Tile]) -> None:
    left, top = corner
    pen = ImageDraw.Draw(sheet)
    _draw_swatch(pen, (left, top + 6), color=_SEEN if is_seen else _UNSEEN)
    pen.text((left + 21, top), name, fill=_INK if is_seen else _UNSEEN, font=_load_font(18))
    for position, tile in enumerate(tiles):
        enlarged = Image.fromarray(tile).resize((_TILE, _TILE), Image.Resampling.BICUBIC)
        sheet.paste(enlarged, (left + position * (_TILE + _GAP), top + _NAME_HEIGHT))
