"""COCO-Stuff 164K: masks with 171 contiguous ids, converted from stuffthingmaps, whose values are official ids - 1."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.folders.dataset_spec import DatasetLayout, load_dataset_spec
from benchmark.data.folders.decode import read_mask
from benchmark.data.prepare.plan import PreparationPlan, check_labels, find_base, get_folder, get_mask_path
from benchmark.data.prepare.work import ConversionTask

CONVERTED_SUFFIX = "_labelTrainIds"
"""Suffix of the stems of converted masks, which mmsegmentation stores next to the raw ones."""


def plan_coco_stuff(root: Path, out: Path, layout: str) -> PreparationPlan:
    """Plan the conversion of every raw mask below a folder, in any known layout.

    Args:
        root: Folder of the originals.
        out: Folder for the results.
        layout: Name of the layout to write.

    Raises:
        ValueError: No raw mask was found; the message lists the expected files.
    """
    spec = load_dataset_spec("coco_stuff164k")
    base, raw_layout = _find_raw_layout(root)
    tasks: list[ConversionTask] = []
    links: dict[Path, Path] = {}
    encoding = spec.mask_encodings["raw"]
    table, expected = encoding.build_table(256), encoding.describe_values()
    for subset, (target,) in spec.layouts[layout].subsets.items():
        source = raw_layout.subsets[subset][0]
        links[out / get_folder(target.images)] = base / get_folder(source.images)
        for path in sorted((base / get_folder(source.masks[0])).glob("*.png")):
            if not path.stem.endswith(CONVERTED_SUFFIX) and not path.name.startswith("."):
                make = partial(_convert_mask, path, table=table, expected=expected)
                tasks.append(ConversionTask(path, out / get_mask_path(target, path.stem), make))
    return PreparationPlan(tuple(tasks), links)


def _find_raw_layout(root: Path) -> tuple[Path, DatasetLayout]:
    """Return the folder of the raw masks and their layout."""
    raw_layouts = [layout for layout in load_dataset_spec("coco_stuff164k").layouts.values() if _is_raw(layout)]
    layout_of = {layout.subsets[subset][0].masks[0]: layout for layout in raw_layouts for subset in layout.subsets}
    for pattern, layout in layout_of.items():
        for name in layout.roots:
            if next((root / name / get_folder(pattern)).glob("[!.]*.png"), None) is not None:
                return root / name, layout
    contents = [get_folder(pattern) for pattern in layout_of]
    return find_base(root, raw_layouts[0].roots, contents=contents), raw_layouts[0]


def _is_raw(layout: DatasetLayout) -> bool:
    return all(source.encoding == "raw" for sources in layout.subsets.values() for source in sources)


def _convert_mask(path: Path, *, table: NDArray[np.int32], expected: str) -> Image.Image:
    values = read_mask(path)
    if values.dtype != np.uint8:
        raise ValueError(f"{path} has 16 bits per pixel, expected 8 as in stuffthingmaps")
    return Image.fromarray(check_labels(table[values], values, path=path, expected=expected).astype(np.uint8))
