"""Mask values to class indices, by the table of a data set; a value that means nothing is an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.core.types import ignore_label
from benchmark.data.folders.dataset_spec import ILLEGAL, Ids
from benchmark.data.folders.decode import Mask

Labels = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W) indices into the classes, or `ignore_label` their number."""

_SHOWN = 10


class MaskTable:
    """Translates masks that follow one table.

    Args:
        ids: the table.
    """

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._ignore = ignore_label(ids.classes)
        # a label that is no class; where none is left below the ignored one, that one has to serve for both
        self._illegal = self._ignore - (ids.classes < self._ignore)
        self._tables: dict[int, tuple[NDArray[np.int32], Labels]] = {}

    def __call__(self, values: Mask, path: Path) -> Labels:
        """Class indices.

        Args:
            values: (H, W) as they were read.
            path: for messages.

        Returns:
            (H, W) labels, uint8 up to 255 classes and uint16 above.

        Raises:
            ValueError: values that the table does not have, naming the file, the values and those expected.
        """
        _, table = self._table(2 ** (8 * values.dtype.itemsize))
        labels: Labels = table.take(values)
        if (labels == self._illegal).any():
            self.classes_in(values, path)  # which says what is wrong
        return labels

    def classes_in(self, values: Mask, path: Path) -> tuple[int, ...]:
        """The classes that occur, sorted. Raises like a call."""
        meanings, _ = self._table(2 ** (8 * values.dtype.itemsize))
        present = np.flatnonzero(np.bincount(values.ravel(), minlength=len(meanings)))
        found = meanings[present]
        if (found == ILLEGAL).any():
            raise ValueError(f"{path} has {_ids_in_words(present[found == ILLEGAL])}, expected {self._ids.expected()}")
        return tuple(sorted({*found.tolist()} - {self._ignore}))

    def _table(self, size: int) -> tuple[NDArray[np.int32], Labels]:
        """What values mean, and the labels they become; made when the first mask of a kind is seen."""
        if size not in self._tables:
            meanings = self._ids.table(size)
            wide = np.where(meanings == ILLEGAL, self._illegal, meanings).astype(np.uint16)
            self._tables[size] = meanings, wide.astype(np.uint8) if self._ignore < 2**8 else wide
        return self._tables[size]


def _ids_in_words(values: NDArray[np.integer]) -> str:
    shown = ", ".join(map(str, values[:_SHOWN].tolist()))
    return f"mask ids {shown}" + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")
