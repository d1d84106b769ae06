"""Subsets of splits as Detectron2 datasets: records in its `DatasetCatalog`, metadata in its `MetadataCatalog`.

A split is registered twice, as `chimera_<split>_<subset>`. The labels of its training subset index the seen classes and
ignore all other pixels, so that no code can read the label of an unseen pixel. The labels of its evaluation subset
index all classes.

The labels of a split are not in a file, since datasets use other ids and some datasets have no files at all. Records
contain addresses instead, which `benchmark.d2.catalogs.files` opens. Nothing is read before a caller requests records
or files.
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
from benchmark.core.types import IGNORE, get_ignore_label
from benchmark.data.base import Dataset, RawSample
from benchmark.data.catalog import DATASETS, open_dataset
from benchmark.data.folders.discovery import list_data_folders
from benchmark.data.label_maps import LabelMap
from benchmark.data.split_checks import check_fits
from benchmark.data.train_images import select_train_images
from benchmark.utils.did_you_mean import explain_unknown_name

PREFIX = "chimera://"
LABELS, IMAGE = "labels", "image"

Record = dict[str, Any]

_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class SplitSubset:
    """Training subset or evaluation subset of a split.

    Attributes:
        split: Split with its classes.
        source: Argument of `load_split` that gives the split: a name or the path of a file.
        is_train: Whether this is the training subset.
    """

    split: Split
    source: str
    is_train: bool

    @property
    def subset(self) -> str:
        """Name of the subset in the dataset."""
        return self.split.train if self.is_train else self.split.evaluate

    @property
    def name(self) -> str:
        """Name in Detectron2's catalogs."""
        return f"chimera_{self.split.name}_{self.subset}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that the labels index."""
        return self.split.seen if self.is_train else self.split.classes

    @property
    def is_wide(self) -> bool:
        """Whether the labels need 16 bits."""
        return get_ignore_label(len(self.classes)) > IGNORE

    @property
    def dataset(self) -> Dataset:
        """Dataset that contains the subset; raises the errors of `open_dataset`."""
        return open_shared_dataset(self.split.dataset)

    def make_records(self) -> list[Record]:
        """Return one record per image; for training, only of the images that the split's own protocol selects.

        The keys are file_name, image_id, sem_seg_file_name and index, the index of the image in the subset. Training
        labels of 16 bits have no sem_seg_file_name, as `DatasetMapper` would truncate them to 8 bits; see
        `SplitMapper`.

        Raises:
            FileNotFoundError: The dataset is in none of the data folders.
            ValueError: The dataset does not fit the split.
        """
        dataset, split = self.dataset, self.split
        check_fits(dataset, split)
        if not self.is_train:
            return [self._make_record(dataset, index) for index in range(dataset.size(self.subset))]
        rules = load_protocol(split.protocol, dataset=split.dataset)
        return [self._make_record(dataset, index) for index in select_train_images(dataset, split, rules.train_images)]

    def read_labels(self, index: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """Read the labels (H, W) of an image: indices into `classes`, or the ignore label.

        Raises:
            IndexError: The subset has no image with this index.
            ValueError: The files of the image are missing or broken.
        """
        labels = self._table(self._read(index)).numpy()
        return labels.astype(np.uint16) if self.is_wide else labels.astype(np.uint8)

    def read_image(self, index: int) -> NDArray[np.uint8]:
        """Read an image (H, W, 3) as RGB; raises the errors of `read_labels`."""
        return self._read(index).image

    def make_metadata(self) -> dict[str, Any]:
        """Return the metadata that Detectron2 reads, and also split, seen (a flag per class), subset and is_train."""
        is_seen = [name in self.split.seen for name in self.classes]
        return {
            "stuff_classes": list(self.classes),
            "stuff_colors": [compute_class_color(self.split.classes.index(name)) for name in self.classes],
            "stuff_dataset_id_to_contiguous_id": {label: label for label in range(len(self.classes))},
            "ignore_label": get_ignore_label(len(self.classes)),
            "evaluator_type": "sem_seg",
            "split": self.source,
            "seen": is_seen,
            "subset": self.subset,
            "is_train": self.is_train,
        }

    @cached_property
    def _table(self) -> LabelMap:
        return LabelMap(self.dataset.classes, kept=self.classes)

    def _read(self, index: int) -> RawSample:
        return self.dataset.read(self.subset, index)

    def _make_record(self, dataset: Dataset, index: int) -> Record:
        image_id, file_name = dataset.get_image_ref(self.subset, index)
        record: Record = {"index": index, "image_id": image_id}
        record["file_name"] = self._make_address(IMAGE, index) if dataset.name in DATASETS else file_name
        if not (self.is_train and self.is_wide):
            record["sem_seg_file_name"] = self._make_address(LABELS, index)
        return record

    def _make_address(self, kind: str, index: int) -> str:
        """Return the address of the labels or pixels of an image."""
        return f"{PREFIX}{self.split.name}/{self.subset}/{kind}/{index}.png"


SUBSETS: dict[str, SplitSubset] = {}
"""Registered subsets by their name in Detectron2's catalogs."""


def register_split(source: str) -> tuple[str, str]:
    """Register the subsets of a split in Detectron2's catalogs.

    Args:
        source: Name of the split or path of its file.

    Returns:
        Names of the training subset and of the evaluation subset.

    Raises:
        KeyError: The split is unknown.
        ValueError: The split is invalid, or a split of this name is registered already.
    """
    split = load_split(source)
    subsets = SplitSubset(split, source, is_train=True), SplitSubset(split, source, is_train=False)
    if any(subset.name in SUBSETS for subset in subsets):
        raise ValueError(f"a split named {split.name!r} is registered already: give {source} another name")
    for subset in subsets:
        DatasetCatalog.register(subset.name, subset.make_records)
        MetadataCatalog.get(subset.name).set(**subset.make_metadata())
        SUBSETS[subset.name] = subset
    return subsets[0].name, subsets[1].name


def find_subset(name: str) -> SplitSubset:
    """Return a registered subset by its name in the catalogs.

    Raises:
        KeyError: The name is unknown; the message suggests the nearest name.
    """
    if name not in SUBSETS:
        raise KeyError(explain_unknown_name("dataset of a split", name, SUBSETS))
    return SUBSETS[name]


def parse_address(address: str) -> tuple[SplitSubset, str, int]:
    """Split an address into subset, kind and index.

    Raises:
        FileNotFoundError: The address is not that of a label map or image of a registered subset.
    """
    *names, kind, file = address.removeprefix(PREFIX).split("/")
    subset = SUBSETS.get("_".join(["chimera", *names]))
    index = file.removesuffix(".png")
    if subset is None or kind not in (LABELS, IMAGE) or not index.isdecimal():
        raise FileNotFoundError(f"{address} is not the address of a label map or image of a split")
    return subset, kind, int(index)


def compute_class_color(index: int) -> tuple[int, int, int]:
    """Return the RGB color of a class by its index in the split.

    Neighboring classes have distant hues, and the brightness and saturation cycle with period three.
    """
    value, saturation = ((0.95, 0.75), (0.6, 0.9), (0.8, 0.45))[index % 3]
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def open_shared_dataset(name: str) -> Dataset:
    """Return a dataset that is opened once per process; raises the errors of `open_dataset`."""
    return _open_cached(name, maker=DATASETS.get(name), folders=list_data_folders())


@lru_cache(maxsize=16)
def _open_cached(name: str, *, maker: Callable[[], Dataset] | None, folders: tuple[Path, ...]) -> Dataset:
    """Open a dataset; the function that makes the dataset and the data folders are parts of the cache key."""
    return open_dataset(name)
