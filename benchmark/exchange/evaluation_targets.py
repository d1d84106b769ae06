"""Targets of the images that a split is scored on: the same images and labels that a run of this program sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.core.split import Split
from benchmark.core.types import get_ignore_label
from benchmark.data.base import Dataset
from benchmark.data.catalog import open_dataset
from benchmark.data.label_maps import LabelMap
from benchmark.data.split_checks import check_fits


@dataclass(frozen=True)
class EvaluationTargets:
    """Targets of the scored images of a split.

    Attributes:
        dataset: Dataset of the split.
        split: Split.
        image_ids: Ids of the scored images, in their order.
    """

    dataset: Dataset
    split: Split
    image_ids: tuple[str, ...]

    @property
    def ignore(self) -> int:
        """Label of pixels that are not scored."""
        return get_ignore_label(len(self.split.classes))

    def read(self) -> Iterator[tuple[str, NDArray[np.integer]]]:
        """Yield id and target (H, W) of every scored image."""
        label_map = LabelMap(self.dataset.classes, kept=self.split.classes)
        for index, image_id in enumerate(self.image_ids):
            yield image_id, label_map(self.dataset.read(self.split.evaluate, index)).numpy()


def open_targets(split: Split, *, max_images: int = 0) -> EvaluationTargets:
    """Open the targets of a split.

    Args:
        split: Split.
        max_images: Number of images, the first of the subset; 0 for all.

    Raises:
        FileNotFoundError: The dataset is in none of the folders.
        ValueError: The dataset does not fit the split.
    """
    dataset = open_dataset(split.dataset)
    check_fits(dataset, split)
    size = dataset.size(split.evaluate)
    return EvaluationTargets(dataset, split, _list_ids(dataset, split, range(min(max_images or size, size))))


def _list_ids(dataset: Dataset, split: Split, indices: Sequence[int]) -> tuple[str, ...]:
    return tuple(dataset.get_image_ref(split.evaluate, index).image_id for index in indices)
