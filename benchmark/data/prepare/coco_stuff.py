"""COCO-Stuff 164K: masks with the 171 contiguous ids from stuffthingmaps, whose values are official ids less one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.folders.dataset_spec import Layout, load_info
from benchmark.data.folders.decode import read_mask
from benchmark.data.prepare.plan import Plan, base_of, folder_of, legal, mask_of
from benchmark.data.prepare.work import Task

OTHERS = "_labelTrainIds"
"""Ending of the stems of converted masks, which mmsegmentation keeps beside the raw ones."""


def plan_coco_stuff(root: Path, out: Path, layout: str) -> Plan:
    """From every raw mask below `root`, in any layout that is known.

    Raises:
        ValueError: there is none; says what was looked for.
    """
    info = load_info("coco_stuff164k")
    base, raw = _raw(root)
    tasks: list[Task] = []
    links: dict[Path, Path] = {}
    table, expected = info.ids["raw"].table(256), info.ids["raw"].expected()
    for part, (target,) in info.layouts[layout].parts.items():
        source = raw.parts[part][0]
        links[out / folder_of(target.images)] = base / folder_of(source.images)
        for path in sorted((base / folder_of(source.masks[0])).glob("*.png")):
            if not path.stem.endswith(OTHERS) and not path.name.startswith("."):
                make = partial(_converted, path, table=table, expected=expected)
                tasks.append(Task(path, out / mask_of(target, path.stem), make))
    return Plan(tuple(tasks), links)


def _raw(root: Path) -> tuple[Path, Layout]:
    """Where raw masks are, and in which layout."""
    layouts = load_info("coco_stuff164k").layouts.values()
    raw = [one for one in layouts if all(source.ids == "raw" for part in one.parts.values() for source in part)]
    folders = {one.parts[part][0].masks[0]: one for one in raw for part in one.parts}
    for pattern, layout in folders.items():
        for name in layout.roots:
            if next((root / name / folder_of(pattern)).glob("[!.]*.png"), None) is not None:
                return root / name, layout
    holding = [folder_of(pattern) for pattern in folders]
    return base_of(root, raw[0].roots, holding=holding), raw[0]


def _converted(path: Path, *, table: NDArray[np.int32], expected: str) -> Image.Image:
    values = read_mask(path)
    if values.dtype != np.uint8:
        raise ValueError(f"{path} has 16 bits a pixel, expected the 8 of stuffthingmaps")
    return Image.fromarray(legal(table[values], values, path=path, expected=expected).astype(np.uint8))
