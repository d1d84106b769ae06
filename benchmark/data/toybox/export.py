"""Export of the toybox to files, in the layout of Pascal VOC 2012, for inspection and for other code bases.

    JPEGImages/train_000012.png            image
    SegmentationClass/train_000012.png     mask: 0 is VOC's background (unused), class i is i + 1, 255 is void
    Depth/train_000012.png                 depth, 16 bits, in millimeters
    captions_train.jsonl                   one line per image: image, caption, tags
    ImageSets/Segmentation/train.txt       image names of the subset; written last, when the subset is complete
    classes.txt                            line n, from 0, is the name of mask value n
    toybox.json                            metadata, with the fingerprint of the toybox

Images are PNG files although the folder keeps its VOC name: JPEG would change pixels, so that results on the files and
on the toybox itself would differ and the fingerprint would not apply. Other code bases have a setting for the suffix
(`img_suffix` in MMSegmentation, `image_ext` in Detectron2).

Every file is written atomically and only once, so the same command completes an interrupted export.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.toybox.dataset import ToyBox, caption_scene
from benchmark.data.toybox.scene import TOYBOX_VERSION, list_tags
from benchmark.utils.atomic_files import open_draft, write_text

METADATA = "toybox.json"
BACKGROUND = 0
"""Mask value of pixels without a class; the toybox has no such pixels."""

OnExportProgress = Callable[[int, int], None]
"""Called with the numbers of exported images and of all images."""


def export_voc(
    dataset: ToyBox,
    subsets: Sequence[str],
    out: Path,
    *,
    on_progress: OnExportProgress = lambda done, total: None,
) -> Path:
    """Export subsets of the toybox to a folder, or complete an interrupted export.

    Args:
        dataset: Toybox to export.
        subsets: Names of the subsets; others may be added to the same folder later.
        out: A new or empty folder, or one with an export of the same toybox.
        on_progress: Called after every image.

    Returns:
        Path of the metadata file.

    Raises:
        KeyError: A subset is unknown.
        FileExistsError: The folder holds something else; nothing was written.
        OSError: A file cannot be written; the same command continues from there.
    """
    total = sum(dataset.size(subset) for subset in subsets)
    _claim_folder(out, dataset)
    done = 0
    for subset in subsets:
        lines = []
        for index in range(dataset.size(subset)):
            lines.append(_export_scene(dataset, subset, index, out=out))
            done += 1
            on_progress(done, total)
        _save_text(out / f"captions_{subset}.jsonl", "".join(lines))
        names = "".join(f"{name_scene(subset, index)}\n" for index in range(dataset.size(subset)))
        _save_text(out / "ImageSets" / "Segmentation" / f"{subset}.txt", names)
    return out / METADATA


def name_scene(subset: str, index: int) -> str:
    """Return the stem of a scene's files, which is unique over all subsets."""
    return f"{subset}_{index:06d}"


def make_voc_palette() -> NDArray[np.uint8]:
    """Return VOC's color of every mask value: the bits of the value, distributed over red, green and blue.

    Returns:
        (256, 3) RGB.
    """
    values = np.arange(256)
    colors = np.zeros((256, 3), dtype=np.int64)
    for level in range(8):
        for channel in range(3):
            # bit 3 * level + channel of the value becomes bit 7 - level of the channel
            colors[:, channel] |= (values >> (3 * level + channel) & 1) << (7 - level)
    return colors.astype(np.uint8)


def _claim_folder(out: Path, dataset: ToyBox) -> None:
    """Check that the folder is new or an export of this toybox, and mark it with the metadata file."""
    metadata = _format_metadata(dataset)
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file, expected a new or empty folder")
    marker = out / METADATA
    if marker.is_file():
        if marker.read_text(encoding="utf-8") != metadata:
            raise FileExistsError(f"{out} holds an export of another toybox version; give a new or empty folder")
    elif out.is_dir() and any(not path.name.startswith(".draft-") for path in out.iterdir()):
        raise FileExistsError(f"{out} is not empty and is no export (no {METADATA}); give a new or empty folder")
    _save_text(marker, metadata)
    for draft in out.glob("**/.draft-*"):
        draft.unlink(missing_ok=True)
    _save_text(out / "classes.txt", "".join(f"{name}\n" for name in ("background", *dataset.classes)))


def _format_metadata(dataset: ToyBox) -> str:
    content = {
        "about": "chimera-bench toybox: procedural scenes in the layout of Pascal VOC 2012, images as PNG",
        "layout_version": 1,
        "toybox_version": TOYBOX_VERSION,
        "fingerprint": dataset.fingerprint(),
        "sizes": {subset: dataset.size(subset) for subset in dataset.subsets},
        "mask_values": {str(BACKGROUND): "background (unused)"}
        | {str(label + 1): name for label, name in enumerate(dataset.classes)},
        "depth": "16 bit, millimeters",
    }
    return json.dumps(content, indent=2) + "\n"


def _export_scene(dataset: ToyBox, subset: str, index: int, *, out: Path) -> str:
    """Write the missing files of a scene, and return its line in the captions file."""
    name = name_scene(subset, index)
    image, mask, depth = (out / folder / f"{name}.png" for folder in ("JPEGImages", "SegmentationClass", "Depth"))
    if image.is_file() and mask.is_file() and depth.is_file():
        tags = list_tags(dataset.read(subset, index).labels.astype(np.uint8))
    else:
        scene = dataset.scene(subset, index)
        tags = scene.tags
        _save_png(image, Image.fromarray(scene.image))
        _save_png(mask, _make_palette_image(scene.labels + 1))
        _save_png(depth, Image.fromarray(scene.depth_mm))
    line = {"image": name, "caption": caption_scene(subset, index, tags=tags), "tags": list(tags)}
    return json.dumps(line) + "\n"


def _make_palette_image(values: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(values)
    image.putpalette(make_voc_palette().tobytes())
    return image


def _save_png(path: Path, image: Image.Image) -> None:
    if not path.is_file():
        with open_draft(path) as draft:
            image.save(draft, format="PNG")


def _save_text(path: Path, text: str) -> None:
    if not path.is_file():
        write_text(path, text)
