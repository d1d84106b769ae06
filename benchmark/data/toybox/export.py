"""The toybox as files, in the layout of Pascal VOC 2012, for looking at and for other people's code.

    JPEGImages/train_000012.png            the picture
    SegmentationClass/train_000012.png     the mask: 0 is VOC's background (never used), class i is i + 1, 255 is void
    Depth/train_000012.png                 16 bit, millimetres
    captions_train.jsonl                   one line a picture: image, caption, tags
    ImageSets/Segmentation/train.txt       the names of the part, written last: where it lies, the part is whole
    classes.txt                            line n, from 0, is the name of mask value n
    toybox.json                            what this is, with the fingerprint of the world

Pictures are PNG although the folder keeps its VOC name: JPEG would change pixels, so that results on the files and on
the world itself would differ and the fingerprint would not hold. Readers take the suffix as a setting (`img_suffix`
in MMSegmentation, `image_ext` in Detectron2).

Every file is written whole or not at all and never twice, so the same command finishes what was interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.toybox.dataset import ToyBox, caption_for
from benchmark.data.toybox.scene import WORLD_VERSION, tags_of
from benchmark.utils.atomic_files import draft_of, write_text

METADATA = "toybox.json"
BACKGROUND = 0
"""Mask value of pixels outside of every class; the toybox has none."""

Observe = Callable[[int, int], None]
"""Called with the pictures done and their total."""


def export_voc(
    dataset: ToyBox, parts: Sequence[str], out: Path, *, observe: Observe = lambda done, total: None
) -> Path:
    """Write parts of the toybox to a folder, or finish writing them.

    Args:
        dataset: what to write.
        parts: which parts of it; others may be added to the same folder later.
        out: a new or empty folder, or one with an export of the same world.
        observe: told after every picture.

    Returns:
        The path of the metadata file.

    Raises:
        KeyError: an unknown part.
        FileExistsError: the folder holds something else; nothing was written.
        OSError: a file cannot be written, with its name and the reason; the same command goes on from there.
    """
    total = sum(dataset.size(part) for part in parts)
    _claim(out, dataset)
    done = 0
    for part in parts:
        lines = []
        for index in range(dataset.size(part)):
            lines.append(_export_scene(dataset, part, index, out=out))
            done += 1
            observe(done, total)
        _save_text(out / f"captions_{part}.jsonl", "".join(lines))
        names = "".join(f"{scene_name(part, index)}\n" for index in range(dataset.size(part)))
        _save_text(out / "ImageSets" / "Segmentation" / f"{part}.txt", names)
    return out / METADATA


def scene_name(part: str, index: int) -> str:
    """The stem of a scene's files, unique over all parts."""
    return f"{part}_{index:06d}"


def voc_colours() -> NDArray[np.uint8]:
    """VOC's colour of every mask value: its bits dealt to red, green and blue from the top down. Returns (256, 3)."""
    values = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.int64)
    for level in range(8):
        for channel in range(3):
            colours[:, channel] |= (values >> (3 * level + channel) & 1) << (7 - level)
    return colours.astype(np.uint8)


def _claim(out: Path, dataset: ToyBox) -> None:
    """Make sure that the folder is ours, and say so in it."""
    metadata = _metadata(dataset)
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file; give the path of a new or empty folder")
    marker = out / METADATA
    if marker.is_file():
        if marker.read_text(encoding="utf-8") != metadata:
            raise FileExistsError(f"{out} holds an export of another world or version; give a new or empty folder")
    elif out.is_dir() and any(not path.name.startswith(".draft-") for path in out.iterdir()):
        raise FileExistsError(
            f"{out} is not empty and has no {METADATA}, so it is not ours; give a new or empty folder"
        )
    _save_text(marker, metadata)
    for draft in out.glob("**/.draft-*"):
        draft.unlink(missing_ok=True)
    _save_text(out / "classes.txt", "".join(f"{name}\n" for name in ("background", *dataset.classes)))


def _metadata(dataset: ToyBox) -> str:
    content = {
        "about": "chimera-bench toybox: procedural scenes in the layout of Pascal VOC 2012, pictures as PNG",
        "layout_version": 1,
        "world_version": WORLD_VERSION,
        "fingerprint": dataset.fingerprint(),
        "sizes": {part: dataset.size(part) for part in dataset.parts},
        "mask_values": {str(BACKGROUND): "background (unused)"}
        | {str(label + 1): name for label, name in enumerate(dataset.classes)},
        "depth": "16 bit, millimetres",
    }
    return json.dumps(content, indent=2) + "\n"


def _export_scene(dataset: ToyBox, part: str, index: int, *, out: Path) -> str:
    """Write what is missing of one scene; returns its line of captions."""
    name = scene_name(part, index)
    picture, mask, depth = (out / folder / f"{name}.png" for folder in ("JPEGImages", "SegmentationClass", "Depth"))
    if picture.is_file() and mask.is_file() and depth.is_file():
        tags = tags_of(dataset.read(part, index).labels.astype(np.uint8))
    else:
        view = dataset.scene(part, index)
        tags = view.tags
        _save_png(picture, Image.fromarray(view.image))
        _save_png(mask, _palette_image(view.labels + 1))
        _save_png(depth, Image.fromarray(view.depth_mm))
    line = {"image": name, "caption": caption_for(part, index, tags=tags), "tags": list(tags)}
    return json.dumps(line) + "\n"


def _palette_image(values: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(values)
    image.putpalette(voc_colours().tobytes())
    return image


def _save_png(path: Path, image: Image.Image) -> None:
    if not path.is_file():
        with draft_of(path) as draft:
            image.save(draft, format="PNG")


def _save_text(path: Path, text: str) -> None:
    if not path.is_file():
        write_text(path, text)
