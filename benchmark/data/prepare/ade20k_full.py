"""ADE20K's full release (ADE20K_2021_17_01): images and 16-bit masks of 847 classes, as MaskFormer converts them.

Source: MaskFormer f2d27b2, datasets/prepare_ade20k_full_sem_seg.py; ZegFormer 8cb9e8f has the same steps. Images with a
short side of more than 512 pixels are resized to 512, bilinearly for images and by nearest neighbor for masks, both
with OpenCV and without low-pass filter. Every image is saved again as JPEG, with Pillow's default quality. Pixels match
the original script bit by bit before this step; after it, they do if the version of libjpeg is the same.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.folders.dataset_spec import load_dataset_spec
from benchmark.data.folders.decode import read_content, read_header
from benchmark.data.prepare.opencv import resize_linear, resize_nearest
from benchmark.data.prepare.plan import PreparationPlan, find_base, get_mask_path
from benchmark.data.prepare.reading import read_rgb
from benchmark.data.prepare.work import ConversionTask

SHORT_SIDE = 512
NUM_CODES = 26 * 256
"""Classes are encoded as red // 10 * 256 + green."""

FOLDERS = {"train": "training", "val": "validation"}


def plan_ade20k_full(root: Path, out: Path, layout: str) -> PreparationPlan:
    """Plan the conversion of every image under images/ADE and of the mask `*_seg.png` next to it.

    Args:
        root: Folder of the originals.
        out: Folder for the results.
        layout: Name of the layout to write.

    Raises:
        ValueError: The originals were not found; the message lists the expected files.
    """
    spec = load_dataset_spec("ade20k_847")
    folders = {subset: f"images/ADE/{name}" for subset, name in FOLDERS.items()}
    base = find_base(root, spec.layouts[layout].roots, contents=tuple(folders.values()))
    table = np.full(NUM_CODES, spec.ignore, dtype=np.uint16)
    table[list(spec.raw_ade_index)] = np.arange(len(spec.classes))
    tasks: list[ConversionTask] = []
    for subset, (target,) in spec.layouts[layout].subsets.items():
        for image in sorted((base / folders[subset]).rglob("[!.]*.jpg")):
            mask = image.with_name(f"{image.stem}_seg.png")
            make_image = partial(_convert_image, image)
            tasks.append(ConversionTask(image, out / target.images.format(image.stem), make_image))
            make_mask = partial(_convert_mask, mask, image=image, table=table)
            tasks.append(ConversionTask(mask, out / get_mask_path(target, image.stem), make_mask))
    return PreparationPlan(tuple(tasks))


def limit_size(height: int, width: int) -> tuple[int, int]:
    """Return height and width with a short side of at most 512 pixels."""
    if min(height, width) <= SHORT_SIDE:
        return height, width
    if width >= height:
        return SHORT_SIDE, round(width / height * SHORT_SIDE)
    return round(height / width * SHORT_SIDE), SHORT_SIDE


def _convert_image(path: Path) -> Image.Image:
    pixels = read_rgb(path)
    size = limit_size(*pixels.shape[:2])
    return Image.fromarray(pixels if size == pixels.shape[:2] else resize_linear(pixels, *size))


def _convert_mask(path: Path, *, image: Path, table: NDArray[np.uint16]) -> Image.Image:
    colors = read_rgb(path)
    header = read_header(read_content(image), image)
    size = (header.height, header.width)
    if colors.shape[:2] != size:
        raise ValueError(f"{path} has size {colors.shape[:2]} but its image {image} has {size}; expected equal sizes")
    codes = colors[..., 0] // 10 * np.int64(256) + colors[..., 1]  # (H, W, 3) to (H, W)
    new_size = limit_size(*codes.shape)
    return Image.fromarray(table[codes if new_size == codes.shape else resize_nearest(codes, *new_size)])
