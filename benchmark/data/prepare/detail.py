"""PASCAL in Detail's trainval_merged.json: images with a phase, and regions with a class and a run-length code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.prepare.rle import decode_rle


@dataclass(frozen=True)
class Detailed:
    """An image as the file describes it.

    Attributes:
        name: stem of the picture's file.
        phase: "train", "val" or "test".
        height, width: in pixels.
        regions: class id and run-length code, in the order of the file.
    """

    name: str
    phase: str
    height: int
    width: int
    regions: tuple[tuple[int, str], ...]

    def painted(self) -> NDArray[np.int64]:
        """Class ids, 0 where no region is: (H, W). A later region lies over an earlier one, as in the detail API.

        Raises:
            ValueError: a code is broken; names the image.
        """
        ids = np.zeros((self.height, self.width), dtype=np.int64)
        for category, counts in self.regions:
            try:
                ids[decode_rle(counts, self.height, self.width)] = category
            except ValueError as error:
                raise ValueError(f"image {self.name}, a region of class {category}: {error}") from error
        return ids


def read_detail(path: Path) -> list[Detailed]:
    """All images of the file, sorted by name.

    Raises:
        ValueError: it is broken, or something else.
    """
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is broken: {' '.join(str(error).split())}; copy or download it again") from error
    try:
        regions: dict[int, list[tuple[int, str]]] = {}
        for one in found["annos_segmentation"]:
            code = (int(one["category_id"]), str(one["segmentation"]["counts"]))
            regions.setdefault(one["image_id"], []).append(code)
        images = [_detailed(one, regions.get(one["image_id"], [])) for one in found["images"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not PASCAL in Detail: it lacks or misuses {error}") from error
    return sorted(images, key=lambda image: image.name)


def _detailed(image: Mapping[str, Any], regions: list[tuple[int, str]]) -> Detailed:
    name, phase = Path(image["file_name"]).stem, str(image["phase"])
    return Detailed(name, phase, int(image["height"]), int(image["width"]), tuple(regions))
