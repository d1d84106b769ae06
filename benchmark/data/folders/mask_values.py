"""Conversion of mask values to class indices; a value without a meaning is an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.core.types import get_ignore_label
from benchmark.data.compiled_pixels import look_up
from benchmark.data.folders.dataset_spec import UNDEFINED, MaskEncoding
from benchmark.data.folders.decode import Mask

MaskLabels = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W) class indices, or `get_ignore_label` of the number of classes."""

_MAX_VALUES_SHOWN = 10


class MaskValueTable:
    """Lookup table from mask values to class indices.

    Args:
        encoding: Meaning of the mask values.
    """

    def __init__(self, encoding: MaskEncoding) -> None:
        self._encoding = encoding
        self._ignore = get_ignore_label(encoding.classes)
        # a label that is no class; if no such label is below the ignore label, the ignore label has to serve for both
        self._undefined = self._ignore - (encoding.classes < self._ignore)
        self._tables: dict[int, tuple[NDArray[np.int32], MaskLabels]] = {}

    def __call__(self, values: Mask, path: Path) -> MaskLabels:
        """Convert mask values to class indices.

        Args:
            values: (H, W) mask values.
            path: Path of the mask, for error messages.

        Returns:
            (H, W) labels; uint8 for up to 255 classes, uint16 for more.

        Raises:
            ValueError: The mask has illegal values; the message names the file, the values and the legal ones.
        """
        _, table = self._get_tables(2 ** (8 * values.dtype.itemsize))
        labels: MaskLabels = look_up(table, values)
        if (labels == self._undefined).any():
            self.find_classes(values, path)  # raises if the label stands for an illegal value
        return labels

    def find_classes(self, values: Mask, path: Path) -> tuple[int, ...]:
        """Return the indices of the classes that occur in a mask, sorted.

        Args:
            values: (H, W) mask values.
            path: Path of the mask, for error messages.

        Raises:
            ValueError: The mask has illegal values.
        """
        meanings, _ = self._get_tables(2 ** (8 * values.dtype.itemsize))
        present = np.flatnonzero(np.bincount(values.ravel(), minlength=len(meanings)))
        labels = meanings[present]
        if (labels == UNDEFINED).any():
            illegal = _format_values(present[labels == UNDEFINED])
            raise ValueError(f"{path} has {illegal}, expected {self._encoding.describe_values()}")
        return tuple(sorted({*labels.tolist()} - {self._ignore}))

    def _get_tables(self, size: int) -> tuple[NDArray[np.int32], MaskLabels]:
        """Return the meaning and the label of every mask value, (size,) each; built on first use."""
        if size not in self._tables:
            meanings = self._encoding.build_table(size)
            wide = np.where(meanings == UNDEFINED, self._undefined, meanings).astype(np.uint16)
            self._tables[size] = meanings, wide.astype(np.uint8) if self._ignore < 2**8 else wide
        return self._tables[size]


def _format_values(values: NDArray[np.integer]) -> str:
    shown = ", ".join(map(str, values[:_MAX_VALUES_SHOWN].tolist()))
    hidden = len(values) - _MAX_VALUES_SHOWN
    return f"mask values {shown}" + (f" and {hidden} more" if hidden > 0 else "")
