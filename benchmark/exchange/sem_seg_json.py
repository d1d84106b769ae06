"""Label maps as masks of classes in one file: `sem_seg_predictions.json` of Detectron2's `SemSegEvaluator`.

The file is a list with one entry per image and class: file_name, category_id, and the mask as a run-length code of
COCO. A pixel in no mask is predicted as no class; a pixel in two masks is an error.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.prepare.rle import decode_rle
from benchmark.exchange.class_ids import NO_CLASS, ClassIds, Labels
from benchmark.utils.input_files import hash_file

FILE_NAME = "sem_seg_predictions.json"


class SemSegJson:
    """Label maps in a file of Detectron2.

    Args:
        path: File.
        ids: Meaning of the category ids.

    Raises:
        ValueError: The file is not such a list; the message names it.
    """

    def __init__(self, path: Path, ids: ClassIds) -> None:
        self.path, self._ids = path, ids
        self._entries = _read_entries(path)

    @property
    def image_ids(self) -> Collection[str]:
        """Ids of the images that have a mask: names of the image files without folder and suffix."""
        return self._entries.keys()

    @property
    def kind(self) -> str:
        """Number of images and masks."""
        return f"{sum(map(len, self._entries.values()))} masks of {len(self._entries)} images"

    def read(self, image_id: str, size: tuple[int, int]) -> Labels:
        """Return the classes of an image's pixels, see `LabelSource`."""
        name = f"{self.path}, image {image_id!r}:"
        labels, covered = np.full(size, NO_CLASS, dtype=np.int32), np.zeros(size, dtype=np.bool_)
        for entry in self._entries[image_id]:
            mask = _decode_mask(entry, size, name=name)
            if (mask & covered).any():
                pixels = int((mask & covered).sum())
                raise ValueError(f"{name} {pixels} pixels are in two masks: give every pixel one class")
            covered |= mask
            labels[mask] = self._ids.read_id(entry["category_id"], name)
        return labels

    def digest_files(self, image_ids: Collection[str]) -> Mapping[str, str]:
        """Return the SHA-256 of the file by its name."""
        return {self.path.name: hash_file(self.path)}


def _read_entries(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the entries of a file by image id."""
    expected = "expected a list of file_name, category_id and segmentation, as Detectron2 writes it"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not readable JSON ({error}): {expected}") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path} holds no masks: {expected}")
    files: dict[str, str] = {}
    by_image: dict[str, list[dict[str, Any]]] = {}
    for number, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or not {"file_name", "category_id", "segmentation"} <= entry.keys():
            raise ValueError(f"{path}: entry {number} lacks a field: {expected}")
        file_name = str(entry["file_name"])
        image_id = PurePosixPath(file_name.replace("\\", "/")).stem
        if files.setdefault(image_id, file_name) != file_name:
            raise ValueError(f"{path} has masks of two files for image {image_id!r}: {files[image_id]} and {file_name}")
        by_image.setdefault(image_id, []).append(dict(entry))
    return by_image


def _decode_mask(entry: Mapping[str, Any], size: tuple[int, int], *, name: str) -> NDArray[np.bool_]:
    """Return the (H, W) mask of an entry."""
    code = entry["segmentation"]
    if not isinstance(code, Mapping) or not {"size", "counts"} <= code.keys():
        raise ValueError(f"{name} a segmentation is no run-length code with size and counts")
    if tuple(code["size"]) != size:
        actual, expected = (" x ".join(map(str, pair)) for pair in (code["size"], size))
        raise ValueError(
            f"{name} a mask has {actual} pixels (height x width), and its target {expected}: predict at the original "
            "size of the images"
        )
    try:
        counts = code["counts"]
        return decode_rle(counts, *size) if isinstance(counts, str) else _decode_runs(counts, size)
    except ValueError as error:
        raise ValueError(f"{name} a mask is broken: {error}") from error


def _decode_runs(runs: Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the (H, W) mask of an uncompressed run-length code, which goes along the columns."""
    height, width = size
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f"its runs cover {sum(runs)} pixels, expected {height} x {width}")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T
