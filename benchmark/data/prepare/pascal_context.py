"""PASCAL Context: masks of 59 classes from the official annotation of 459, or from PASCAL in Detail.

The two do not agree in every pixel, nor in the number of images: the official lists have 4998 and 5105, PASCAL in
Detail has 4996 and 5104. mmsegmentation's `pascal_context.py`, whose masks the ZegCLIP family uses, takes the latter;
CaGNet and ZS3Net took the former.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.folders.dataset_spec import ILLEGAL, Source, load_info
from benchmark.data.folders.decode import picture_size
from benchmark.data.folders.discovery import read_list
from benchmark.data.prepare.detail import Detailed, read_detail
from benchmark.data.prepare.plan import Plan, base_of, folder_of, legal, mask_of, values_of
from benchmark.data.prepare.reading import read_matlab
from benchmark.data.prepare.work import Task

DETAIL = "trainval_merged.json"
OFFICIAL = 459
"""Classes of the official annotation; ids begin at 1, and 0 is unlabelled."""

OFFICIAL_IDS = (
    2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113, 115, 144, 158, 159,
    162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366, 368, 397,
    415, 416, 420, 424, 427, 440, 445, 454, 458,
)  # fmt: skip
"""Of the 59 classes in alphabetical order. PASCAL in Detail has the same ids."""

_EXPECTED = f"0 to {OFFICIAL}, the official class ids"


def plan_official(root: Path, out: Path, layout: str) -> Plan:
    """From `LabelMap` of the official .mat files, one an image, and the lists of VOC 2010.

    Raises:
        ValueError: the originals are not below `root`; says what was looked for.
    """
    lists = ("ImageSets/SegmentationContext", "ImageSets/Main")
    base = base_of(root, load_info("pascal_context").layouts[layout].roots, holding=lists)
    folder = next(base / name for name in lists if (base / name).is_dir())
    annotations = _annotations(base, root)
    tasks: list[Task] = []
    texts: dict[Path, str] = {}
    inputs = []
    for part, source in _parts(layout).items():
        listed = folder / f"{part}.txt"
        names = read_list(listed)
        inputs.append(listed)
        texts[out / source.listed] = "".join(f"{name}\n" for name in names)
        table = _table(source)
        for name in names:
            original, picture = annotations / f"{name}.mat", base / source.images.format(name)
            make = partial(_from_matlab, original, picture=picture, table=table)
            tasks.append(Task(original, out / mask_of(source, name), make))
    return Plan(tuple(tasks), _links(base, out, layout), texts, tuple(inputs))


def plan_detail(root: Path, out: Path, layout: str) -> Plan:
    """From the masks and the phases in trainval_merged.json, as mmsegmentation does.

    Raises:
        ValueError: the file is not below `root`, or is not PASCAL in Detail.
    """
    base = base_of(root, load_info("pascal_context").layouts[layout].roots, holding=(DETAIL,))
    images = read_detail(base / DETAIL)
    tasks: list[Task] = []
    texts: dict[Path, str] = {}
    for part, source in _parts(layout).items():
        ours = [image for image in images if image.phase == part]
        texts[out / source.listed] = "".join(f"{image.name}\n" for image in ours)
        table = _table(source)
        for image in ours:
            make = partial(_from_detail, image, table=table)
            tasks.append(Task(base / DETAIL, out / mask_of(source, image.name), make))
    return Plan(tuple(tasks), _links(base, out, layout), texts)


def _parts(layout: str) -> dict[str, Source]:
    return {part: sources[0] for part, sources in load_info("pascal_context").layouts[layout].parts.items()}


def _links(base: Path, out: Path, layout: str) -> dict[Path, Path]:
    return {out / folder_of(one.images): base / folder_of(one.images) for one in _parts(layout).values()}


def _annotations(base: Path, root: Path) -> Path:
    """Where the .mat files lie: beside the pictures, or as ZS3Net has them."""
    folders = (base / "trainval", root / "trainval", root / "full_annotations" / "trainval")
    for folder in folders:
        if next(folder.glob("*.mat"), None) is not None:
            return folder
    raise ValueError(
        f"no .mat file is in {', '.join(dict.fromkeys(map(str, folders)))}: unpack the official annotations "
        f"(trainval.tar.gz) to {folders[0]}"
    )


def _table(source: Source) -> NDArray[np.int32]:
    """Official id to mask value: (460,); all other classes are background."""
    info = load_info("pascal_context")
    values = values_of(info.ids[source.ids], len(info.classes))
    table = np.full(OFFICIAL + 1, values[info.classes.index("background")], dtype=np.int32)
    table[list(OFFICIAL_IDS)] = values[1:]
    return table


def _from_matlab(path: Path, *, picture: Path, table: NDArray[np.int32]) -> Image.Image:
    ids = read_matlab(path, "LabelMap")
    if picture.is_file() and picture_size(picture) != ids.shape:
        raise ValueError(f"{path} is of size {ids.shape}, its picture {picture} of {picture_size(picture)}")
    return _image(ids, table, path=path)


def _from_detail(image: Detailed, *, table: NDArray[np.int32]) -> Image.Image:
    try:
        return _image(image.painted(), table, path=Path(f"image {image.name}"))
    except ValueError as error:
        raise ValueError(f"{DETAIL}, {error}") from error


def _image(ids: NDArray[np.integer], table: NDArray[np.int32], *, path: Path) -> Image.Image:
    is_known = (ids >= 0) & (ids <= OFFICIAL)
    labels = np.where(is_known, table[np.where(is_known, ids, 0)], ILLEGAL)
    return Image.fromarray(legal(labels, ids, path=path, expected=_EXPECTED).astype(np.uint8))
