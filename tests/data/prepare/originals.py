"""Tiny datasets as they are published, before their preparation: random pixels, realistic names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

CONTEXT = {"train": ("2008_000002", "2008_000003"), "val": ("2008_000007",)}
COCO = {"train2017": ("000000000009", "000000000025"), "val2017": ("000000000139",)}


def write_image(path: Path, pixels: NDArray[np.integer]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def draw_noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_context(root: Path, *, lists: str = "ImageSets/Main") -> Path:
    """Write VOC 2010 with the official annotation: (5, 7) pixels with ids from all 459 classes and 0."""
    base = root / "VOC2010"
    for subset, names in CONTEXT.items():
        (base / lists).mkdir(parents=True, exist_ok=True)
        (base / lists / f"{subset}.txt").write_text("".join(f"{name}\n" for name in names))
        for seed, name in enumerate(names):
            write_image(base / "JPEGImages" / f"{name}.jpg", draw_noise(5, 7, 3, seed=seed))
            ids = np.random.default_rng([seed, len(subset)]).integers(0, 460, (5, 7)).astype(np.uint16)
            (base / "trainval").mkdir(exist_ok=True)
            savemat(base / "trainval" / f"{name}.mat", {"LabelMap": ids}, do_compression=True)
    return root


def write_detail(root: Path, regions: Mapping[str, Sequence[tuple[int, str]]], *, size: tuple[int, int]) -> Path:
    """Write PASCAL in Detail, given the class and the run-length code of every region, by image."""
    images: list[dict[str, object]] = []
    drawn: list[dict[str, object]] = []
    for number, (subset, name) in enumerate((subset, name) for subset, names in CONTEXT.items() for name in names):
        write_image(root / "JPEGImages" / f"{name}.jpg", draw_noise(*size, 3, seed=number))
        entry: dict[str, object] = {"file_name": f"{name}.jpg", "image_id": number, "phase": subset}
        images.append(entry | {"height": size[0], "width": size[1]})
        for category, counts in regions.get(name, ()):
            code = {"size": list(size), "counts": counts}
            drawn.append({"id": len(drawn), "image_id": number, "category_id": category, "segmentation": code})
    images.append({"file_name": "2008_000001.jpg", "image_id": 99, "phase": "test", "height": 1, "width": 1})
    (root / "trainval_merged.json").write_text(json.dumps({"images": images, "annos_segmentation": drawn}))
    return root


def write_coco(root: Path, *, images: str = "", masks: str = "stuffthingmaps") -> Path:
    """Write COCO 2017 with stuffthingmaps: (4, 6) pixels with legal values."""
    legal = [value for value in range(182) if value not in {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90}] + [255]
    for subset, names in COCO.items():
        for seed, name in enumerate(names):
            values = np.random.default_rng([seed, len(subset)]).choice(legal, (4, 6)).astype(np.uint8)
            write_image(root / images / subset / f"{name}.jpg", draw_noise(4, 6, 3, seed=seed))
            write_image(root / masks / subset / f"{name}.png", values)
    return root


def write_ade(root: Path, sizes: Mapping[str, tuple[int, int]], ids: Sequence[int]) -> Path:
    """Write ADE20K's full release, given the sizes of the images by name; mask pixels are drawn from `ids`."""
    for seed, (name, size) in enumerate(sizes.items()):
        subset = "training" if "_train_" in name else "validation"
        folder = root / "ADE20K_2021_17_01" / "images" / "ADE" / subset / "urban" / "street"
        codes = np.random.default_rng(seed).choice(np.array(ids), size)
        colors = np.stack([codes // 256 * 10 + seed % 10, codes % 256, draw_noise(*size, seed=seed)], axis=-1)
        write_image(folder / f"{name}.jpg", draw_noise(*size, 3, seed=seed))
        write_image(folder / f"{name}_seg.png", colors.astype(np.uint8))
        (folder / name).mkdir()  # the release has a folder of instances for each image
    return root


def digest_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read_pixels(path: Path) -> NDArray[np.integer]:
    with Image.open(path) as image:
        return np.array(image)
