"""Counts of finished runs without what a table over thousands of them need not hold in memory.

The margin bins, half of the memory, are read again when a sweep over gammas asks for them. Names of images and classes
and the labels, which all runs on a split have in common, are held once.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from benchmark.core.run_record import RunRecord
from benchmark.evaluation.counts import MARGINS, SPARSE, Counts, Integers, Matrix
from benchmark.store.run_folder import RunFolder

_shared: dict[Any, Any] = {}


class SlimCounts(Counts):
    """Counts that were checked against the record of their run, and whose margin bins are on disk."""

    _folder: RunFolder
    _digest: str

    @property
    def margin_intersection(self) -> Integers:
        """Counts by margin of the pixels that are right, see `Counts`."""
        return _read_margins(self._folder.path, self._digest)[0]

    @property
    def margin_prediction(self) -> Integers:
        """Counts by margin, see `Counts`."""
        return _read_margins(self._folder.path, self._digest)[1]

    def digest(self) -> str:
        """Return the SHA-256 of the content, which was computed when the counts were read."""
        return self._digest


def read_slim_counts(folder: RunFolder, record: RunRecord) -> Counts:
    """Read the counts of a finished run and check them against its record, see `RunFolder.read_counts`."""
    counts = folder.read_counts(record)
    slim = SlimCounts.__new__(SlimCounts)
    kept = {name: value for name, value in vars(counts).items() if name not in MARGINS}
    kept |= {name: _share(kept[name]) for name in ("image_ids", "classes", "seen")}
    kept |= {name: _narrow(getattr(counts, name)) for name in SPARSE}
    target = kept["target"]
    key = (target.shape, target.data.tobytes(), target.indices.tobytes(), target.indptr.tobytes())
    kept["target"] = _shared.setdefault(key, target)
    vars(slim).update(kept, is_labels_only=counts.is_labels_only, _folder=folder, _digest=str(record.counts_digest))
    return slim


def _narrow(matrix: Matrix) -> Matrix:
    """Return a matrix with the same values at places in half of the bits."""
    parts = (matrix.data, matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32))
    return sparse.csr_array(parts, shape=matrix.shape)


def _share(value: Any) -> Any:
    return _shared.setdefault(value, value)


@lru_cache(maxsize=8)
def _read_margins(path: Path, digest: str) -> tuple[Integers, Integers]:
    """Return the margin bins of a run, (K, G + 1) each.

    Raises:
        ValueError: The counts cannot be read any more, or are others than those that were read first.
    """
    counts = RunFolder(path).read_counts()
    if counts.digest() != digest:
        raise ValueError(f"{path} holds another result than a moment ago: run the command again")
    return counts.margin_intersection, counts.margin_prediction
