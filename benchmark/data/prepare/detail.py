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
class DetailImage:
    """An image as described in the file.

    Attributes:
        name: Stem of the image file.
        phase: "train", "val" or "test".
        height: Height in pixels.
        width: Width in pixels.
        regions: Class id and run-length code of each region, in the order of the file.
    """

    name: str
    phase: str
    height: int
    width: int
    regions: tuple[tuple[int, str], ...]

    def paint_mask(self) -> NDArray[np.int64]:
        """Paint the regions in order, so that later ones cover earlier ones, as the detail API does.

        Returns:
            (height, width) class ids; 0 where no region is.

        Raises:
            ValueError: A code is broken; the message names the image.
        """
        ids = np.zeros((self.height, self.width), dtype=np.int64)
        for category, counts in self.regions:
            try:
                ids[decode_rle(counts, self.height, self.width)] = category
            except ValueError as error:
                raise ValueError(f"image {self.name}, a region of class {category}: {error}") from error
        return ids


def read_detail(path: Path) -> list[DetailImage]:
    """Read all images of the file, sorted by name.

    Raises:
        ValueError: The file is broken, or is not PASCAL in Detail.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is broken: {' '.join(str(error).split())}; copy or download it again") from error
    try:
        regions: dict[int, list[tuple[int, str]]] = {}
        for region in content["annos_segmentation"]:
            code = (int(region["category_id"]), str(region["segmentation"]["counts"]))
            regions.setdefault(region["image_id"], []).append(code)
        images = [_parse_image(fields, regions.get(fields["image_id"], [])) for fields in content["images"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not PASCAL in Detail: missing or invalid field {error}") from error
    return sorted(images, key=lambda image: image.name)


def _parse_image(fields: Mapping[str, Any], regions: list[tuple[int, str]]) -> DetailImage:
    name, phase = Path(fields["file_name"]).stem, str(fields["phase"])
    return DetailImage(name, phase, int(fields["height"]), int(fields["width"]), tuple(regions))
