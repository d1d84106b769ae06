"""Counts of finished runs without what a table over thousands of them need not hold in memory.

The margin bins, half of the memory, are read again when a sweep over gammas asks for them. Names of images and classes
and the labels, which all runs on a split have in common, are held once. The digest in the record is that of the arrays
in the file, so that arrays which have it were checked when they were saved and are taken as they are; others take the
long way of `RunFolder.read_counts`, which says what is wrong.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.core.run_record import RunRecord
from benchmark.evaluation.counts import FORMAT, MARGINS, MATRICES, SPARSE, Counts, Integers, Matrix, Totals
from benchmark.store.run_folder import RunFolder
from benchmark.utils.npz import read_npz

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

NAMES = ("image_ids", "classes", "seen")
"""Fields of `Counts` that all runs on a split have in common, beside the labels."""
MAX_NARROW = 2**24
"""Number of pixels whose sums of three and whose hundredfold fit into 32 bits with their sign."""
_PARTS = ("data", "indices", "indptr")
_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError, OSError)
_shared: dict[Any, Any] = {}


class SlimCounts(Counts):
    """Counts that were checked against the record of their run, and whose margin bins are on disk."""

    _folder: RunFolder
    _digest: str

    @cached_property
    def totals(self) -> Totals:
        """Counts of the whole dataset, see `Counts`; they travel to other processes with the counts."""
        return Totals(*(_sum_images(getattr(self, name)) for name in MATRICES))

    @property
    def margin_intersection(self) -> Integers:
        """Counts by margin of the pixels that are right, see `Counts`."""
        return _read_margins(self._folder, self._digest)["margin_intersection"]

    @property
    def margin_prediction(self) -> Integers:
        """Counts by margin, see `Counts`."""
        return _read_margins(self._folder, self._digest)["margin_prediction"]

    def digest(self) -> str:
        """Return the SHA-256 of the content, which was computed when the counts were read."""
        return self._digest

    def __reduce__(self) -> tuple[Callable[[Mapping[str, Any]], Counts], tuple[dict[str, Any]]]:
        """Return how another process makes these counts, which share there what they share here."""
        return _receive_slim, (vars(self),)


def read_slim_counts(folder: RunFolder, record: RunRecord) -> Counts:
    """Read the counts of a finished run and check them against its record, see `RunFolder.read_counts`."""
    intact = read_intact_counts(folder, record)
    if intact is not None:
        return intact
    counts = folder.read_counts(record)
    fields = {name: value for name, value in vars(counts).items() if name not in MARGINS}
    fields |= {name: _share(fields[name]) for name in NAMES} | {"is_labels_only": counts.is_labels_only}
    return _make_slim(fields | {"_folder": folder, "_digest": str(record.counts_digest)})


def read_intact_counts(folder: RunFolder, record: RunRecord) -> Counts | None:
    """Read the counts that a record names, from one reading of the file; None if it does not hold these arrays."""
    arrays = _read_arrays(folder.counts_path, record.counts_digest)
    if arrays is None:
        return None
    return _make_slim(_list_fields(arrays) | {"_folder": folder, "_digest": str(record.counts_digest)})


def digest_arrays(arrays: Arrays) -> str:
    """Return the SHA-256 of the arrays of a file of counts, which is `Counts.digest` of canonical ones."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _read_arrays(path: Path, digest: str | None) -> Arrays | None:
    """Return the arrays of a file by name; None if they cannot be read or have not this digest."""
    try:
        arrays = read_npz(path.read_bytes())
        is_current = _read_header(arrays["header"].tobytes()).format == FORMAT
    except _DAMAGES:
        return None
    return arrays if is_current and digest_arrays(arrays) == digest else None


def _list_fields(arrays: Arrays) -> dict[str, Any]:
    """Return the fields of counts from canonical arrays, see `Counts.save`, without those that stay on disk."""
    _, image_ids, classes, seen = _read_header(arrays["header"].tobytes())
    fields: dict[str, Any] = {"image_ids": image_ids, "classes": classes, "seen": seen}
    for name, stored in SPARSE.items():
        shape = (len(classes if name == "confusion" else image_ids), len(classes))
        fields[name] = _make_matrix([arrays[f"{stored}_{part}"] for part in _PARTS], shape)
    has_no_scores = any(seen) and not all(seen) and not arrays["margin_prediction"].any()
    return fields | {"is_labels_only": has_no_scores and bool(fields["target"].data.any())}


def _make_matrix(parts: Sequence[NDArray[Any]], shape: tuple[int, int]) -> Matrix:
    """Return a matrix whose places, and numbers below `MAX_NARROW`, have half of the bits of the file."""
    data, indices, indptr = parts
    matrix = copy(_make_empty(shape))  # not the constructor, which checks at length what the digest vouches for
    matrix.data = data.astype(np.int32) if data.max(initial=0) < MAX_NARROW else data
    matrix.indices, matrix.indptr = indices.astype(np.int32), indptr.astype(np.int32)
    return matrix


@lru_cache(maxsize=256)
def _make_empty(shape: tuple[int, int]) -> Matrix:
    return sparse.csr_array(shape, dtype=np.int32)


def _sum_images(matrix: Matrix) -> Integers:
    """Return the (K,) sums of the columns of a (N, K) matrix, in a tenth of the time that narrow numbers take."""
    sums = np.zeros(matrix.shape[1], dtype=np.int64)
    np.add.at(sums, matrix.indices, matrix.data.astype(np.int64))
    return sums


def _make_slim(fields: Mapping[str, Any]) -> Counts:
    """Return counts with these fields, of which the labels are the same object for all runs that have them."""
    target = fields["target"]
    key = (target.shape, *(getattr(target, part).tobytes() for part in _PARTS))
    slim = SlimCounts.__new__(SlimCounts)
    vars(slim).update(fields, target=_shared.setdefault(key, target))
    return slim


def _receive_slim(fields: Mapping[str, Any]) -> Counts:
    """Return counts that another process has read."""
    return _make_slim({**fields, **{name: _share(fields[name]) for name in NAMES}})


def _share(names: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the first tuple of this process with the same content."""
    known: tuple[Any, ...] = _shared.setdefault(names, names)
    return known


class _Header(NamedTuple):
    """Version of a file of counts, and the names and flags in it."""

    format: str
    image_ids: tuple[str, ...]
    classes: tuple[str, ...]
    seen: tuple[bool, ...]


@lru_cache(maxsize=256)
def _read_header(text: bytes) -> _Header:
    """Return the header of a file."""
    header = json.loads(text)
    return _Header(header["format"], *(_share(tuple(header[name])) for name in NAMES))


@lru_cache(maxsize=8)
def _read_margins(folder: RunFolder, digest: str) -> dict[str, Integers]:
    """Return the margin bins of a run by name, (K, G + 1) each.

    Raises:
        ValueError: The counts cannot be read any more, or are others than those that were read first.
    """
    arrays = _read_arrays(folder.counts_path, digest)
    if arrays is not None:
        return {name: arrays[name] for name in MARGINS}
    counts = folder.read_counts()
    if counts.digest() != digest:
        raise ValueError(f"{folder.path} holds another result than a moment ago: run the command again")
    return {name: getattr(counts, name) for name in MARGINS}
