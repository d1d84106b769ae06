"""PASCAL Context: masks of 59 classes from the official annotation of 459 classes, or from PASCAL in Detail.

The two differ in some pixels and in the number of images: the official lists have 4998 and 5105, PASCAL in Detail has
4996 and 5104. mmsegmentation's `pascal_context.py`, whose masks the ZegCLIP family uses, takes the latter; CaGNet and
ZS3Net took the former.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.folders.dataset_spec import UNDEFINED, ImageSource, load_dataset_spec
from benchmark.data.folders.decode import read_image_size
from benchmark.data.folders.discovery import read_image_list
from benchmark.data.prepare.detail import DetailImage, read_detail
from benchmark.data.prepare.plan import (
    PreparationPlan,
    check_labels,
    find_base,
    get_folder,
    get_mask_path,
    tabulate_values,
)
from benchmark.data.prepare.reading import read_matlab
from benchmark.data.prepare.work import ConversionTask

DETAIL = "trainval_merged.json"
NUM_OFFICIAL = 459
"""Classes of the official annotation; ids begin at 1, and 0 is unlabeled."""

OFFICIAL_IDS = (
    2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113, 115, 144, 158, 159,
    162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366, 368, 397,
    415, 416, 420, 424, 427, 440, 445, 454, 458,
)  # fmt: skip
"""Official ids of the 59 classes in alphabetical order. PASCAL in Detail has the same ids."""

_EXPECTED = f"0 to {NUM_OFFICIAL}, the official class ids"


def plan_official(root: Path, out: Path, layout: str) -> PreparationPlan:
    """Plan the conversion of `LabelMap` in the official .mat files, one per image, with the lists of VOC 2010.

    Args:
        root: Folder of the originals.
        out: Folder for the results.
        layout: Name of the layout to write.

    Raises:
        ValueError: The originals were not found; the message lists the expected files.
    """
    list_folders = ("ImageSets/SegmentationContext", "ImageSets/Main")
    base = find_base(root, load_dataset_spec("pascal_context").layouts[layout].roots, contents=list_folders)
    list_folder = next(base / name for name in list_folders if (base / name).is_dir())
    annotations = _find_annotations(base, root)
    tasks: list[ConversionTask] = []
    lists: dict[Path, str] = {}
    inputs = []
    for subset, source in _get_sources(layout).items():
        list_file = list_folder / f"{subset}.txt"
        names = read_image_list(list_file)
        inputs.append(list_file)
        lists[out / source.list_file] = "".join(f"{name}\n" for name in names)
        table = _build_table(source)
        for name in names:
            original, image = annotations / f"{name}.mat", base / source.images.format(name)
            make = partial(_convert_matlab, original, image=image, table=table)
            tasks.append(ConversionTask(original, out / get_mask_path(source, name), make))
    return PreparationPlan(tuple(tasks), _get_links(base, out, layout), lists, tuple(inputs))


def plan_detail(root: Path, out: Path, layout: str) -> PreparationPlan:
    """Plan the conversion of the masks and phases in trainval_merged.json, as mmsegmentation converts them.

    Args:
        root: Folder of the originals.
        out: Folder for the results.
        layout: Name of the layout to write.

    Raises:
        ValueError: The file was not found, or is not PASCAL in Detail.
    """
    base = find_base(root, load_dataset_spec("pascal_context").layouts[layout].roots, contents=(DETAIL,))
    all_images = read_detail(base / DETAIL)
    tasks: list[ConversionTask] = []
    lists: dict[Path, str] = {}
    for subset, source in _get_sources(layout).items():
        images = [image for image in all_images if image.phase == subset]
        lists[out / source.list_file] = "".join(f"{image.name}\n" for image in images)
        table = _build_table(source)
        for image in images:
            make = partial(_convert_detail, image, table=table)
            tasks.append(ConversionTask(base / DETAIL, out / get_mask_path(source, image.name), make))
    return PreparationPlan(tuple(tasks), _get_links(base, out, layout), lists)


def _get_sources(layout: str) -> dict[str, ImageSource]:
    subsets = load_dataset_spec("pascal_context").layouts[layout].subsets
    return {subset: sources[0] for subset, sources in subsets.items()}


def _get_links(base: Path, out: Path, layout: str) -> dict[Path, Path]:
    folders = [get_folder(source.images) for source in _get_sources(layout).values()]
    return {out / folder: base / folder for folder in folders}


def _find_annotations(base: Path, root: Path) -> Path:
    """Return the folder of the .mat files: next to the images, or as in ZS3Net."""
    folders = (base / "trainval", root / "trainval", root / "full_annotations" / "trainval")
    for folder in folders:
        if next(folder.glob("*.mat"), None) is not None:
            return folder
    raise ValueError(
        f"found no .mat file in {', '.join(dict.fromkeys(map(str, folders)))}; unpack the official annotations "
        f"(trainval.tar.gz) to {folders[0]}"
    )


def _build_table(source: ImageSource) -> NDArray[np.int32]:
    """Tabulate the mask value of every official id, (460,); all other classes are background."""
    spec = load_dataset_spec("pascal_context")
    values = tabulate_values(spec.mask_encodings[source.encoding], len(spec.classes))
    table = np.full(NUM_OFFICIAL + 1, values[spec.classes.index("background")], dtype=np.int32)
    table[list(OFFICIAL_IDS)] = values[1:]
    return table


def _convert_matlab(path: Path, *, image: Path, table: NDArray[np.int32]) -> Image.Image:
    ids = read_matlab(path, "LabelMap")
    if image.is_file() and read_image_size(image) != ids.shape:
        raise ValueError(
            f"{path} has size {ids.shape} but its image {image} has {read_image_size(image)}; expected equal sizes"
        )
    return _convert_ids(ids, table, path=path)


def _convert_detail(image: DetailImage, *, table: NDArray[np.int32]) -> Image.Image:
    try:
        return _convert_ids(image.paint_mask(), table, path=Path(f"image {image.name}"))
    except ValueError as error:
        raise ValueError(f"{DETAIL}, {error}") from error


def _convert_ids(ids: NDArray[np.integer], table: NDArray[np.int32], *, path: Path) -> Image.Image:
    """Convert official ids (H, W) to a mask."""
    is_known = (ids >= 0) & (ids <= NUM_OFFICIAL)
    labels = np.where(is_known, table[np.where(is_known, ids, 0)], UNDEFINED)
    return Image.fromarray(check_labels(labels, ids, path=path, expected=_EXPECTED).astype(np.uint8))
