"""ADE20K's full release (ADE20K_2021_17_01): pictures and 16-bit masks of 847 classes, as MaskFormer makes them.

Source: MaskFormer f2d27b2, datasets/prepare_ade20k_full_sem_seg.py; ZegFormer 8cb9e8f has the same steps. Pictures with
a short side of more than 512 pixels are brought to 512, bilinear for pictures, nearest for masks, both by OpenCV and
without a low-pass. Every picture is saved as JPEG anew, with Pillow's default quality. Before that step pixels are
theirs to the bit; after it, they are where the version of libjpeg is.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.folders.dataset_spec import load_info
from benchmark.data.folders.decode import header_of, read_content
from benchmark.data.prepare.opencv import resize_linear, resize_nearest
from benchmark.data.prepare.plan import Plan, base_of, mask_of
from benchmark.data.prepare.reading import read_colours
from benchmark.data.prepare.work import Task

SHORT_SIDE = 512
CODES = 26 * 256
"""Classes are coded as red // 10 * 256 + green."""

FOLDERS = {"train": "training", "val": "validation"}


def plan_ade20k_full(root: Path, out: Path, layout: str) -> Plan:
    """From every picture under images/ADE and the mask `*_seg.png` beside it.

    Raises:
        ValueError: they are not below `root`; says what was looked for.
    """
    info = load_info("ade20k_847")
    folders = {part: f"images/ADE/{name}" for part, name in FOLDERS.items()}
    base = base_of(root, info.layouts[layout].roots, holding=tuple(folders.values()))
    table = np.full(CODES, info.ignore, dtype=np.uint16)
    table[list(info.raw_ade_index)] = np.arange(len(info.classes))
    tasks: list[Task] = []
    for part, (target,) in info.layouts[layout].parts.items():
        for picture in sorted((base / folders[part]).rglob("[!.]*.jpg")):
            mask = picture.with_name(f"{picture.stem}_seg.png")
            tasks.append(Task(picture, out / target.images.format(picture.stem), partial(_picture, picture)))
            make = partial(_mask, mask, picture=picture, table=table)
            tasks.append(Task(mask, out / mask_of(target, picture.stem), make))
    return Plan(tuple(tasks))


def small_size(height: int, width: int) -> tuple[int, int]:
    """Height and width after the short side was brought to 512, if it was longer."""
    if min(height, width) <= SHORT_SIDE:
        return height, width
    if width >= height:
        return SHORT_SIDE, round(width / height * SHORT_SIDE)
    return round(height / width * SHORT_SIDE), SHORT_SIDE


def _picture(path: Path) -> Image.Image:
    pixels = read_colours(path)
    size = small_size(*pixels.shape[:2])
    return Image.fromarray(pixels if size == pixels.shape[:2] else resize_linear(pixels, *size))


def _mask(path: Path, *, picture: Path, table: NDArray[np.uint16]) -> Image.Image:
    colours = read_colours(path)
    header = header_of(read_content(picture), picture)
    if colours.shape[:2] != (header.height, header.width):
        raise ValueError(
            f"{path} is of size {colours.shape[:2]}, its picture {picture} of {(header.height, header.width)}"
        )
    codes = colours[..., 0] // 10 * np.int64(256) + colours[..., 1]
    size = small_size(*codes.shape)
    return Image.fromarray(table[codes if size == codes.shape else resize_nearest(codes, *size)])
