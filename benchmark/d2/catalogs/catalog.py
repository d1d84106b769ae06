"""Parts of splits as Detectron2 takes data sets: records in its `DatasetCatalog`, names in its `MetadataCatalog`.

A split is there twice, as `chimera_<split>_<part>`: its training part with labels among the seen classes and everything
else ignored, so that no code of anybody's can look at an unseen pixel; its scored part with labels among all classes.

Labels of a split lie in no file, as ids of data sets are others, and some data sets have no files at all. Records name
addresses instead, which `benchmark.d2.catalogs.files` opens. Nothing is read before somebody asks for records or for a file.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from detectron2.data import DatasetCatalog, MetadataCatalog
from numpy.typing import NDArray

from benchmark.core.protocol import load_protocol
from benchmark.core.split import Split, load_split
from benchmark.core.types import IGNORE, ignore_label
from benchmark.data.base import Dataset, RawSample
from benchmark.data.catalog import DATASETS, open_dataset
from benchmark.data.folders.discovery import data_folders
from benchmark.data.label_maps import LabelTable
from benchmark.data.loader import check_fits, taking_part
from benchmark.utils.did_you_mean import unknown_name

PREFIX = "chimera://"
LABELS, PICTURE = "labels", "picture"

Record = dict[str, Any]

_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class View:
    """One part of a split.

    Attributes:
        split: which one.
        given: what `load_split` takes for it: its name, or the path of its file.
        is_train: whether it is the training part.
    """

    split: Split
    given: str
    is_train: bool

    @property
    def part(self) -> str:
        """Of the data set."""
        return self.split.train if self.is_train else self.split.evaluate

    @property
    def name(self) -> str:
        """In Detectron2's catalogs."""
        return f"chimera_{self.split.name}_{self.part}"

    @property
    def classes(self) -> tuple[str, ...]:
        """What labels index."""
        return self.split.seen if self.is_train else self.split.classes

    @property
    def is_wide(self) -> bool:
        """Whether labels need 16 bits."""
        return ignore_label(len(self.classes)) > IGNORE

    @property
    def dataset(self) -> Dataset:
        """What it is a part of. Raises like `open_dataset`."""
        return open_once(self.split.dataset)

    def records(self) -> list[Record]:
        """One for each image: of the training part, those that take part under the split's own protocol.

        Keys: file_name, image_id, sem_seg_file_name, and index, which is the image's in its part of the data set.
        Labels of 16 bits in training have no file, as `DatasetMapper` would cut them to 8: see `SplitMapper`.

        Raises:
            FileNotFoundError: the data are in none of the folders.
            ValueError: they do not fit the split.
        """
        dataset, split = self.dataset, self.split
        check_fits(dataset, split)
        if not self.is_train:
            return [self._record(dataset, index) for index in range(dataset.size(self.part))]
        rules = load_protocol(split.protocol, dataset=split.dataset)
        return [self._record(dataset, index) for index in taking_part(dataset, split, rules.train_images)]

    def labels(self, index: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """Final labels (H, W) of one image: indices into `classes`, or `ignore_label` of their number.

        Raises:
            IndexError: there is no such image.
            ValueError: its files are missing or broken.
        """
        labels = self._table(self._read(index)).numpy()
        return labels.astype(np.uint16) if self.is_wide else labels.astype(np.uint8)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB. Raises like `labels`."""
        return self._read(index).image

    def metadata(self) -> dict[str, Any]:
        """What Detectron2 asks for, and of ours: split, seen (flags of the classes), part, is_train."""
        is_seen = [name in self.split.seen for name in self.classes]
        return {
            "stuff_classes": list(self.classes),
            "stuff_colors": [colour(self.split.classes.index(name)) for name in self.classes],
            "stuff_dataset_id_to_contiguous_id": {label: label for label in range(len(self.classes))},
            "ignore_label": ignore_label(len(self.classes)),
            "evaluator_type": "sem_seg",
            "split": self.given,
            "seen": is_seen,
            "part": self.part,
            "is_train": self.is_train,
        }

    @cached_property
    def _table(self) -> LabelTable:
        return LabelTable(self.dataset.classes, kept=self.classes)

    def _read(self, index: int) -> RawSample:
        return self.dataset.read(self.part, index)

    def _record(self, dataset: Dataset, index: int) -> Record:
        image_id, file_name = dataset.address(self.part, index)
        record: Record = {"index": index, "image_id": image_id}
        record["file_name"] = self._address(PICTURE, index) if dataset.name in DATASETS else file_name
        if not (self.is_train and self.is_wide):
            record["sem_seg_file_name"] = self._address(LABELS, index)
        return record

    def _address(self, kind: str, index: int) -> str:
        """Where Detectron2 finds the labels or the picture of one image."""
        return f"{PREFIX}{self.split.name}/{self.part}/{kind}/{index}.png"


VIEWS: dict[str, View] = {}
"""Those in Detectron2's catalogs, by name."""


def register_split(given: str) -> tuple[str, str]:
    """Enter a split into Detectron2's catalogs.

    Args:
        given: its name, or the path of its file.

    Returns:
        The names of its training part and of its scored part.

    Raises:
        KeyError, ValueError: see `load_split`.
        ValueError: there is one of that name.
    """
    split = load_split(given)
    views = View(split, given, is_train=True), View(split, given, is_train=False)
    if any(view.name in VIEWS for view in views):
        raise ValueError(f"a split named {split.name!r} is registered already: give {given} another name")
    for view in views:
        DatasetCatalog.register(view.name, view.records)
        MetadataCatalog.get(view.name).set(**view.metadata())
        VIEWS[view.name] = view
    return views[0].name, views[1].name


def view_of(name: str) -> View:
    """A view by its name in the catalogs. Raises KeyError naming the nearest."""
    if name not in VIEWS:
        raise KeyError(unknown_name("data set of a split", name, VIEWS))
    return VIEWS[name]


def at_address(address: str) -> tuple[View, str, int]:
    """View, kind and index that an address names. Raises FileNotFoundError where it names nothing."""
    *place, kind, file = address.removeprefix(PREFIX).split("/")
    view = VIEWS.get("_".join(["chimera", *place]))
    index = file.removesuffix(".png")
    if view is None or kind not in (LABELS, PICTURE) or not index.isdecimal():
        raise FileNotFoundError(f"{address} is no address of a label map or a picture of a split")
    return view, kind, int(index)


def colour(index: int) -> tuple[int, int, int]:
    """RGB of a class, by its place in the split: hues far apart for neighbours, and three tones in turn."""
    value, saturation = ((0.95, 0.75), (0.6, 0.9), (0.8, 0.45))[index % 3]
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def open_once(name: str) -> Dataset:
    """A data set, the same one for everybody in this process. Raises like `open_dataset`."""
    return _opened(name, maker=DATASETS.get(name), folders=data_folders())


@lru_cache(maxsize=16)
def _opened(name: str, *, maker: Callable[[], Dataset] | None, folders: tuple[Path, ...]) -> Dataset:
    """What makes a data set and where it may lie are part of the question."""
    return open_dataset(name)
