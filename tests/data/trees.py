"""Tiny datasets on disk, in the layouts of the real ones."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.folders.dataset import FolderDataset
from benchmark.data.folders.dataset_spec import DatasetSpec, load_dataset_spec
from benchmark.data.folders.discovery import locate_dataset

HEIGHT, WIDTH = 6, 8


@dataclass(frozen=True)
class Tree:
    """A dataset in one layout.

    Attributes:
        dataset, layout: Names of the dataset and of the layout.
        files: Paths of each image and its mask.
        subsets: Ids of the expected images, by subset.
        value, name: Mask value of the class that all masks show, and name of the class.
        void: Mask value of pixels without a class; None if the whole mask shows the class.
        lists: Text of the list files, by path.
    """

    dataset: str
    layout: str
    files: Sequence[tuple[str, str]]
    subsets: Mapping[str, Sequence[str]]
    value: int
    name: str
    void: int | None = 255
    lists: Mapping[str, str] = field(default_factory=dict)

    def create(self, folder: Path) -> Path:
        """Write all files; the top row of every mask shows the class, the rest is void if possible."""
        for image, mask in self.files:
            save_image(folder / image)
            values = np.full((HEIGHT, WIDTH), self.value if self.void is None else self.void)
            values[0] = self.value
            save_mask(folder / mask, values)
        for path, text in self.lists.items():
            write(folder / path, text.encode())
        return folder


def write(path: Path, content: bytes) -> Path:
    """Write a file and create its parent folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def save_image(path: Path, *, size: tuple[int, int] = (HEIGHT, WIDTH), orientation: int = 1, mode: str = "RGB") -> Path:
    """Write a JPEG whose pixels depend on its name."""
    noise = np.random.default_rng(list(path.stem.encode())).integers(0, 256, (*size, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(content, "JPEG", exif=exif if orientation > 1 else b"")
    return write(path, content.getvalue())


def save_mask(path: Path, values: NDArray[Any], *, palette: bool = False) -> Path:
    """Write a mask: 16 bits for a TIFF, otherwise 8, gray or with a palette."""
    image = Image.fromarray(values.astype(np.uint16 if path.suffix == ".tif" else np.uint8))
    if palette:
        image.putpalette([level for value in range(256) for level in (255 - value, value, 7)])
    content = io.BytesIO()
    image.save(content, "TIFF" if path.suffix == ".tif" else "PNG")
    return write(path, content.getvalue())


def open_tree(spec: DatasetSpec | str, folder: Path, *, layout: str = "") -> FolderDataset:
    """Open the dataset in a folder."""
    spec = load_dataset_spec(spec) if isinstance(spec, str) else spec
    location = locate_dataset(spec, [folder], layout=layout)
    assert location is not None
    return FolderDataset(spec, location)


def with_image_counts(dataset: str, **counts: int) -> DatasetSpec:
    """Return a description of a dataset that is complete with fewer images."""
    spec = load_dataset_spec(dataset)
    return spec.model_copy(update={"image_counts": spec.image_counts | counts})


VOC, CONTEXT = "VOCdevkit/VOC2012", "VOCdevkit/VOC2010"
VOC_LISTS = f"{VOC}/ImageSets/Segmentation"

VOC_MMSEG = Tree(
    "voc12",
    "mmseg",
    [
        (f"{VOC}/JPEGImages/2007_01.jpg", f"{VOC}/SegmentationClass/2007_01.png"),
        (f"{VOC}/JPEGImages/2007_02.jpg", f"{VOC}/SegmentationClassAug/2007_02.png"),
        (f"{VOC}/JPEGImages/2007_03.jpg", f"{VOC}/SegmentationClass/2007_03.png"),
    ],
    {"train": ["2007_01"], "train_aug": ["2007_01", "2007_02"], "val": ["2007_03"]},
    value=20,
    name="tvmonitor",
    lists={
        f"{VOC_LISTS}/train.txt": "2007_01\n",
        f"{VOC_LISTS}/aug.txt": "2007_02\n",
        f"{VOC_LISTS}/val.txt": "2007_03\n",
    },
)
VOC_SUBSETS = {"train_aug": ["2007_01", "2007_02"], "val": ["2007_03"]}
VOC_DETECTRON2 = Tree(
    "voc12",
    "detectron2",
    [(f"VOC2012/JPEGImages/2007_0{n}.jpg", f"VOC2012/SegmentationClassAug/2007_0{n}.png") for n in (1, 2, 3)],
    VOC_SUBSETS,
    value=20,
    name="tvmonitor",
    lists={"VOC2012/train.txt": "2007_01\n2007_02\n", "VOC2012/val.txt": "2007_03\n"},
)
COCO_SUBSETS = {"train": ["000000000009"], "val": ["000000000139"]}
COCO_NAMES = [("train2017", "000000000009"), ("val2017", "000000000139")]
COCO_RAW = Tree(
    "coco_stuff164k",
    "detectron2",
    [(f"coco/{subset}/{name}.jpg", f"coco/stuffthingmaps/{subset}/{name}.png") for subset, name in COCO_NAMES],
    COCO_SUBSETS,
    value=181,
    name="wood",
)
CONTEXT_LISTS = {
    f"{CONTEXT}/ImageSets/SegmentationContext/train.txt": "2008_01\n",
    f"{CONTEXT}/ImageSets/SegmentationContext/val.txt": "2008_02\n",
}
ADE_NAMES = [("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")]
ADE_SUBSETS = {"train": ["ADE_train_00000001"], "val": ["ADE_val_00000001"]}
FULL = "ADE20K_2021_17_01"

TREES = [
    VOC_MMSEG,
    VOC_DETECTRON2,
    Tree(
        "voc12",
        "trainaug",
        [(f"JPEGImages/2007_0{n}.jpg", f"SegmentationClass/2007_0{n}.png") for n in (1, 2, 3)],
        VOC_SUBSETS,
        value=20,
        name="tvmonitor",
        lists={
            "ImageSets/Segmentation/trainaug.txt": "2007_01\n2007_02\n",
            "ImageSets/Segmentation/val.txt": "2007_03\n",
        },
    ),
    Tree(
        "voc12",
        "detectron2_converted",
        [
            (f"VOC2012/JPEGImages/2007_0{n}.jpg", f"VOC2012/annotations_detectron2/{subset}/2007_0{n}.png")
            for n, subset in ((1, "train"), (2, "train"), (3, "val"))
        ],
        VOC_SUBSETS,
        value=19,
        name="tvmonitor",
        lists=VOC_DETECTRON2.lists,
    ),
    Tree(
        "voc12",
        "zegformer",
        [
            (f"VOCZERO/images/{subset}/2007_0{n}.jpg", f"VOCZERO/annotations/{subset}/2007_0{n}.png")
            for n, subset in ((1, "train"), (2, "train"), (3, "val"))
        ],
        VOC_SUBSETS,
        value=20,
        name="tvmonitor",
    ),
    Tree(
        "coco_stuff164k",
        "mmseg",
        [
            (
                f"coco_stuff164k/images/{subset}/{name}.jpg",
                f"coco_stuff164k/annotations/{subset}/{name}_labelTrainIds.png",
            )
            for subset, name in COCO_NAMES
        ],
        COCO_SUBSETS,
        value=170,
        name="wood",
    ),
    Tree(
        "coco_stuff164k",
        "mmseg_raw",
        [
            (f"coco/coco_stuff/images/{subset}/{name}.jpg", f"coco/coco_stuff/annotations/{subset}/{name}.png")
            for subset, name in COCO_NAMES
        ],
        COCO_SUBSETS,
        value=181,
        name="wood",
    ),
    COCO_RAW,
    Tree(
        "coco_stuff164k",
        "detectron2_converted",
        [
            (f"coco/{subset}/{name}.jpg", f"coco/stuffthingmaps_detectron2/{subset}/{name}.png")
            for subset, name in COCO_NAMES
        ],
        COCO_SUBSETS,
        value=170,
        name="wood",
    ),
    Tree(
        "pascal_context",
        "mmseg",
        [(f"{CONTEXT}/JPEGImages/2008_0{n}.jpg", f"{CONTEXT}/SegmentationClassContext/2008_0{n}.png") for n in (1, 2)],
        {"train": ["2008_01"], "val": ["2008_02"]},
        value=59,
        name="wood",
        void=None,
        lists=CONTEXT_LISTS,
    ),
    Tree(
        "pascal_context",
        "detectron2",
        [
            (f"pcontext/{subset}/image/2008_0{n}.jpg", f"pcontext/{subset}/label/2008_0{n}.png")
            for n, subset in ((1, "train"), (2, "val"))
        ],
        {"train": ["2008_01"], "val": ["2008_02"]},
        value=58,
        name="wood",
    ),
    Tree(
        "ade20k_150",
        "mmseg",
        [
            (
                f"ade/ADEChallengeData2016/images/{subset}/{name}.jpg",
                f"ade/ADEChallengeData2016/annotations/{subset}/{name}.png",
            )
            for subset, name in ADE_NAMES
        ],
        ADE_SUBSETS,
        value=150,
        name="flag",
        void=0,
    ),
    Tree(
        "ade20k_150",
        "detectron2",
        [
            (
                f"ADEChallengeData2016/images/{subset}/{name}.jpg",
                f"ADEChallengeData2016/annotations_detectron2/{subset}/{name}.png",
            )
            for subset, name in ADE_NAMES
        ],
        ADE_SUBSETS,
        value=149,
        name="flag",
    ),
    Tree(
        "ade20k_847",
        "detectron2",
        [
            (f"{FULL}/images_detectron2/{subset}/{name}.jpg", f"{FULL}/annotations_detectron2/{subset}/{name}.tif")
            for subset, name in ADE_NAMES
        ],
        ADE_SUBSETS,
        value=846,
        name="adding machine, totalizer, totaliser",
        void=65535,
    ),
]
