"""From ids of a data set to labels of a split, by class name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from benchmark.core.types import ignore_label
from benchmark.data.base import RawSample

_UNDEFINED = int(np.iinfo(np.int16).min)


class LabelTable:
    """Translates ids of a data set to labels of a split.

    Args:
        classes: of the data set, in id order.
        kept: names that get their index here as label; the other classes become `ignore`.
        marked: labels of further names; negative ones are above -32768.

    Attributes:
        ignore: `benchmark.core.types.ignore_label` of the number of names kept.
    """

    def __init__(
        self, classes: Sequence[str], *, kept: Sequence[str], marked: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self.ignore = ignore_label(len(kept))
        self._count, self._void = len(classes), ignore_label(len(classes))
        label_of = {**marked, **{name: label for label, name in enumerate(kept)}}
        width = np.int16 if max(self.ignore, *label_of.values()) <= np.iinfo(np.int16).max else np.int32
        self._table = np.full(self._void + 2, _UNDEFINED, dtype=width)  # the last entry is for ids beyond the table
        self._table[: len(classes)] = [label_of.get(name, self.ignore) for name in classes]
        self._table[self._void] = self.ignore

    def __call__(self, labelled: RawSample) -> Tensor:
        """Labels (H, W) int16, or int32 where they need it.

        Raises:
            ValueError: the mask has ids that are neither a class nor the data set's label for none, or another size
                than the picture.
        """
        ids = labelled.labels
        if ids.shape != labelled.image.shape[:2]:
            raise ValueError(
                f"{labelled.file_name}: the mask has (rows, columns) {ids.shape}, the picture "
                f"{labelled.image.shape[:2]}; they must agree"
            )
        is_byte = ids.dtype == np.uint8  # which cannot lie beyond the table
        labels = self._table.take(ids if is_byte else np.where((ids >= 0) & (ids <= self._void), ids, self._void + 1))
        if labels.min(initial=0) == _UNDEFINED:
            wrong = np.unique(ids[labels == _UNDEFINED]).tolist()
            raise ValueError(
                f"{labelled.file_name}: the mask has ids {wrong[:10]}, which are neither a class "
                f"(0 to {self._count - 1}) nor {self._void} for ignore"
            )
        return torch.from_numpy(labels)
