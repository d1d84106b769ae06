"""Counts of finished runs without what a table over thousands of them need not hold in memory.

Of counts that another process has read, what a class has in each image, how classes are confused and the margin bins
stay on disk and are read when they are asked for. Names of images and classes and the labels, which all runs on a split
have in common, are held once. The digest in the record is that of the arrays in the file, so that arrays which have it
were checked when they were saved and are taken as they are; others take the long way of `RunFolder.read_counts`, which
says what is wrong.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.core.run_record import RunRecord
from benchmark.evaluation.counts import FORMAT, MARGINS, SPARSE, Counts, Matrix
from benchmark.store.run_folder import RunFolder
from benchmark.utils.npz import read_npz

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

NAMES = ("image_ids", "classes", "seen")
"""Fields of `Counts` that all runs on a split have in common, beside the labels."""
STORED = {*SPARSE, *MARGINS} - {"target"}
"""Fields of `Counts` that are left on disk."""
_PARTS = ("data", "indices", "indptr")
_DAMAGES = (zipfile.BadZipFile, EOFError, KeyError, ValueError, RuntimeError, OSError)
_shared: dict[Any, Any] = {}


class SlimCounts(Counts):
    """Counts that were checked against the record of their run.

    Those that another process has read hold labels and sums alone, and read what else they are asked for.
    """

    _folder: RunFolder
    _digest: str
    _whole: Counts | None

    def __getattr__(self, name: str) -> Any:
        """Return a field that is not in memory."""
        if name not in STORED:
            raise AttributeError(name)
        whole = _read_again(self._folder, self._digest) if self._whole is None else self._whole
        return getattr(whole, name)

    def digest(self) -> str:
        """Return the SHA-256 of the content, which was computed when the counts were read."""
        return self._digest

    def __reduce__(self) -> tuple[Callable[[Mapping[str, Any]], Counts], tuple[dict[str, Any]]]:
        """Return how another process makes these counts, which share there what they share here."""
        return _make_slim, (vars(self) | {"_whole": None},)


def read_slim_counts(folder: RunFolder, record: RunRecord) -> Counts:
    """Read the counts of a finished run and check them against its record, see `RunFolder.read_counts`."""
    intact = _read_intact(folder.counts_path, record.counts_digest)
    counts = folder.read_counts(record) if intact is None else intact
    fields = {name: getattr(counts, name) for name in (*NAMES, "target", "totals", "is_labels_only")}
    return _make_slim(fields | {"_folder": folder, "_digest": str(record.counts_digest), "_whole": counts})


def digest_arrays(arrays: Arrays) -> str:
    """Return the SHA-256 of the arrays of a file of counts, which is `Counts.digest` of canonical ones."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _read_intact(path: Path, digest: str | None) -> Counts | None:
    """Return the counts in a file; None if they cannot be read or have not this digest."""
    try:
        arrays = read_npz(path.read_bytes())
        header = _read_header(arrays["header"].tobytes())
    except _DAMAGES:
        return None
    if header.format != FORMAT or digest_arrays(arrays) != digest:
        return None
    counts = Counts.__new__(Counts)  # not the constructor, which checks at length what the digest vouches for
    vars(counts).update(_list_fields(arrays, header))
    return counts


def _list_fields(arrays: Arrays, header: _Header) -> dict[str, Any]:
    """Return the fields of counts from canonical arrays, see `Counts.save`."""
    fields = {name: getattr(header, name) for name in NAMES} | {name: arrays[name] for name in MARGINS}
    for name, stored in SPARSE.items():
        matrix = copy(_make_empty(header.shape if name != "confusion" else (header.shape[1],) * 2))
        matrix.data, matrix.indices, matrix.indptr = (arrays[f"{stored}_{part}"] for part in _PARTS)
        fields[name] = matrix
    return fields


@lru_cache(maxsize=256)
def _make_empty(shape: tuple[int, int]) -> Matrix:
    return sparse.csr_array(shape, dtype=np.int64)


def _make_slim(fields: Mapping[str, Any]) -> Counts:
    """Return counts with these fields, some of which are the same objects for all runs that have them."""
    target = fields["target"]
    key = (target.shape, *(getattr(target, part).tobytes() for part in _PARTS))
    slim = SlimCounts.__new__(SlimCounts)
    vars(slim).update(fields, target=_shared.setdefault(key, target), **{name: _share(fields[name]) for name in NAMES})
    return slim


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

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of images and classes."""
        return len(self.image_ids), len(self.classes)


@lru_cache(maxsize=256)
def _read_header(text: bytes) -> _Header:
    """Return the header of a file."""
    header = json.loads(text)
    return _Header(header["format"], *(_share(tuple(header[name])) for name in NAMES))


@lru_cache(maxsize=8)
def _read_again(folder: RunFolder, digest: str) -> Counts:
    """Return the counts of a run that were read before.

    Raises:
        ValueError: The counts cannot be read any more, or are others than those that were read first.
    """
    intact = _read_intact(folder.counts_path, digest)
    counts = folder.read_counts() if intact is None else intact
    if intact is None and counts.digest() != digest:
        raise ValueError(f"{folder.path} holds another result than a moment ago: run the command again")
    return counts
