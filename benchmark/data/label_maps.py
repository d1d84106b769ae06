"""Map from labels of a dataset to labels of a split, by class name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.types import get_ignore_label
from benchmark.data.base import RawSample
from benchmark.data.compiled_pixels import look_up

_UNDEFINED = int(np.iinfo(np.int16).min)


class LabelMap:
    """Map from labels of a dataset to labels of a split.

    Args:
        classes: Class names of the dataset, in label order.
        kept: Class names of the split, in label order; other classes are ignored.
        marked: Labels of further class names; negative ones are above -32768.

    Attributes:
        ignore: `benchmark.core.types.get_ignore_label` of the number of kept classes.
    """

    def __init__(
        self, classes: Sequence[str], *, kept: Sequence[str], marked: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self.ignore = get_ignore_label(len(kept))
        self._num_classes, self._dataset_ignore = len(classes), get_ignore_label(len(classes))
        label_of = {**marked, **{name: label for label, name in enumerate(kept)}}
        dtype = np.int16 if max(self.ignore, *label_of.values()) <= np.iinfo(np.int16).max else np.int32
        # the last entry is for labels beyond the table
        self._table = np.full(self._dataset_ignore + 2, _UNDEFINED, dtype=dtype)
        self._table[: len(classes)] = [label_of.get(name, self.ignore) for name in classes]
        self._table[self._dataset_ignore] = self.ignore

    def __call__(self, raw: RawSample) -> Tensor:
        """Return the labels of a sample: (H, W) int16, or int32 if the labels need it.

        Raises:
            ValueError: The labels have values that are neither a class nor the ignore label, or another size than the
                image.
        """
        if raw.labels.shape != raw.image.shape[:2]:
            raise ValueError(
                f"{raw.file_name}: the mask has (rows, columns) {raw.labels.shape} but the image has "
                f"{raw.image.shape[:2]}; expected equal sizes"
            )
        return self.map_labels(raw.labels, f"{raw.file_name}: the mask has")

    def map_labels(self, labels: NDArray[np.integer], owner: str) -> Tensor:
        """Return labels of the split in the shape of labels of the dataset, int16, or int32 if the labels need it.

        Args:
            labels: Labels of the dataset.
            owner: Beginning of an error message, such as "points have".

        Raises:
            ValueError: The labels have values that are neither a class nor the ignore label.
        """
        indices = labels
        if not np.issubdtype(labels.dtype, np.unsignedinteger):
            last = len(self._table) - 1
            indices = np.where((labels >= 0) & (labels < last), labels, last).astype(np.uint32)
        mapped = look_up(self._table, indices)  # (H, W)
        if mapped.min(initial=0) == _UNDEFINED:
            illegal = np.unique(labels[mapped == _UNDEFINED]).tolist()
            raise ValueError(
                f"{owner} labels {illegal[:10]}, expected a class (0 to {self._num_classes - 1}) or "
                f"{self._dataset_ignore} for ignore"
            )
        return torch.from_numpy(mapped)
