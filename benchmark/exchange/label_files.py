"""Folders of predictions: label maps as PNG files, and the file that says what their ids mean.

    OUT/labels/<image id>.png   ids of the split's classes, gray or with a palette
    OUT/labels/classes.json     names of the ids, run, split, images in their order
    OUT/overlays/, OUT/errors/  images for people

Equal predictions give equal bytes with the same version of Pillow.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.core.run_spec import RunSpec
from benchmark.core.split import Split
from benchmark.core.types import IGNORE, get_ignore_label
from benchmark.utils.atomic_files import open_draft, write_text

LABELS, NAMES_FILE = "labels", "classes.json"
OVERLAYS, ERRORS = "overlays", "errors"
ADVICE = "give another folder with --out, or move it away"


@dataclass(frozen=True, eq=False)
class LabelWriter:
    """Writer of the label maps of one run.

    Attributes:
        out: Folder of the predictions.
        spec: Spec of the run.
        split: Split of the run.
        palette: (K, 3) colors of the classes; None for gray label maps.
    """

    out: Path
    spec: RunSpec
    split: Split
    palette: NDArray[np.uint8] | None = None

    @property
    def names_path(self) -> Path:
        """Path of the file with the names of the ids."""
        return self.out / LABELS / NAMES_FILE

    def begin(self, image_ids: Sequence[str]) -> None:
        """Write the file with the names of the ids.

        Args:
            image_ids: Ids of the images that will be written, in order.

        Raises:
            ValueError: The folder holds other files, predictions of another run, or those of this run in another format
                or of other images; or a palette has too few colors.
        """
        if self.palette is not None and len(self.split.classes) > IGNORE:
            raise ValueError(f"a palette has 255 colors, and there are {len(self.split.classes)} classes: write ids")
        content: dict[str, Any] = {
            "classes": {str(index): name for index, name in enumerate(self.split.classes)},
            "no_class": get_ignore_label(len(self.split.classes)),
            "format": "ids" if self.palette is None else "palette",
            "run": self.spec.id,
            "split": self.split.name,
            "unseen": list(self.split.unseen),
            "protocol": self.spec.protocol.name,
            "max_images": self.spec.max_images,
            "images": list(image_ids),
        }
        if self.palette is not None:
            rows = zip(self.split.classes, self.palette.tolist(), strict=True)
            content["colors"] = {"#" + "".join(f"{level:02x}" for level in color): name for name, color in rows}
        self._check_folder(content)
        write_text(self.names_path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def write(self, image_id: str, labels: NDArray[np.integer]) -> Path:
        """Write the label map of an image, (H, W) classes of the split, and return its path."""
        dtype = np.uint8 if get_ignore_label(len(self.split.classes)) == IGNORE else np.uint16
        image = Image.fromarray(labels.astype(dtype))
        if self.palette is not None:
            image.putpalette(self.palette.tobytes())
        return write_png(self.out / LABELS / f"{image_id}.png", image)

    def _check_folder(self, content: Mapping[str, Any]) -> None:
        """Refuse a folder with anything but label maps of the same run, images and format, which new ones replace."""
        folders = [self.out / name for name in (LABELS, OVERLAYS, ERRORS)]
        used = [folder for folder in folders if folder.is_dir() and any(folder.iterdir())]
        if not used:
            return
        try:
            known = json.loads(self.names_path.read_text(encoding="utf-8"))
            run, fmt, images = known["run"], known["format"], known["images"]
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(f"{used[0]} holds other files: {ADVICE}") from None
        if run != content["run"]:
            raise ValueError(f"{used[0]} holds predictions of {run}: {ADVICE}")
        if (fmt, images) != (content["format"], content["images"]):
            raise ValueError(
                f"{used[0]} holds predictions of this run with other options (--format {fmt}, {len(images)} images); "
                f"these have --format {content['format']}, {len(content['images'])} images: {ADVICE}"
            )


def write_png(path: Path, image: Image.Image | NDArray[np.uint8]) -> Path:
    """Write a PNG, completely or not at all, and return its path.

    Raises:
        OSError: The file cannot be written.
    """
    content = io.BytesIO()
    stored = image if isinstance(image, Image.Image) else Image.fromarray(image)
    stored.save(content, "PNG", optimize=False, compress_level=6)
    with open_draft(path) as draft:
        draft.write_bytes(content.getvalue())
    return path


def find_labels_folder(path: Path) -> Path:
    """Return the folder of label maps in a folder of predictions, or the path itself if it is something else."""
    return path / LABELS if (path / LABELS / NAMES_FILE).is_file() else path
