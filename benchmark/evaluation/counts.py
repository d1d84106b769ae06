"""Pixel counts of one evaluated run: the only thing an evaluation leaves behind, and all that a score needs.

Two kinds of counts are kept. Per image and class: how many labelled pixels were predicted, true, and both; from these
come every score, every convention and every resampling of images. Per data set, class and margin: the same counts
sorted by how far the best seen class leads the best unseen one; from these comes the result at any calibration
offset gamma (calibrated stacking, Chao et al. 2016, arXiv 1605.04253) without running the method again.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.utils.atomic_files import draft_of

Integers: TypeAlias = NDArray[np.int64]
Matrix: TypeAlias = "sparse.csr_array[np.int64, tuple[int, int]]"

FORMAT = "chimera-bench counts 1"
MATRICES = ("intersection", "prediction", "truth")
MARGINS = ("margin_intersection", "margin_prediction")

GAMMAS: NDArray[np.float64] = np.arange(-100, 101) / 100
"""(G,) the calibration offsets of the sweep, ascending; 0 is exactly 0."""
GAMMAS.setflags(write=False)


class Totals(NamedTuple):
    """Pixels per class, summed over images: (K,) each, or with leading axes where a function says so."""

    intersection: Integers
    prediction: Integers
    truth: Integers


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of labelled pixels, N images by K classes; pixels to ignore are in none of them.

    Attributes:
        image_ids: N names, strictly ascending, so that equal counts have one form however they were sharded.
        classes: K different names; the order is that of the columns.
        seen: K truths: was this class among those with masks in training?
        intersection: (N, K) pixels predicted as the class that are the class.
        prediction: (N, K) pixels predicted as the class.
        truth: (N, K) pixels that are the class. The union is `prediction + truth - intersection`.
        margin_intersection: (K, G + 1), see `margin_prediction`, of the pixels that are the class.
        margin_prediction: (K, G + 1). Every pixel stands twice, under its best seen and under its best unseen class,
            in the column b = number of `GAMMAS` <= p(best seen class) - p(best unseen class), where p is the softmax
            of the raw scores over all K classes. All zero where seen or unseen classes are missing.

    Raises:
        ValueError: sizes that disagree, names that repeat or are out of order, or counts that cannot be.
    """

    image_ids: tuple[str, ...]
    classes: tuple[str, ...]
    seen: tuple[bool, ...]
    intersection: Matrix
    prediction: Matrix
    truth: Matrix
    margin_intersection: Integers
    margin_prediction: Integers

    def __post_init__(self) -> None:
        _check_names(self)
        for name in MATRICES:
            object.__setattr__(self, name, _canonical(getattr(self, name)))
        for name in MARGINS:
            margin = np.array(getattr(self, name), dtype=np.int64)
            margin.setflags(write=False)
            object.__setattr__(self, name, margin)
        _check_sizes(self)
        _check_values(self)

    @property
    def has_sweep(self) -> bool:
        """Whether there are seen and unseen classes, without which no offset changes any prediction."""
        return any(self.seen) and not all(self.seen)

    def totals(self) -> Totals:
        """Counts of the whole data set at the gamma they were counted with, (K,) each."""
        return Totals(
            intersection=np.asarray(self.intersection.sum(axis=0), dtype=np.int64),
            prediction=np.asarray(self.prediction.sum(axis=0), dtype=np.int64),
            truth=np.asarray(self.truth.sum(axis=0), dtype=np.int64),
        )

    def sweep(self) -> Totals:
        """Counts of the whole data set at every gamma: intersection and prediction (G, K), truth (K,).

        At gamma a pixel takes its best seen class if that leads its best unseen class by gamma or more, else its best
        unseen class. At 0 this is exactly the argmax of the raw scores, and at the gamma of the counter it is
        `totals`. Without seen or without unseen classes every gamma gives `totals`: an offset that all classes share
        changes no argmax.
        """
        totals = self.totals()
        if not self.has_sweep:
            shape = (len(GAMMAS), len(self.classes))
            intersection = np.broadcast_to(totals.intersection, shape)
            prediction = np.broadcast_to(totals.prediction, shape)
        else:
            intersection, prediction = self._swept(self.margin_intersection), self._swept(self.margin_prediction)
        return Totals(intersection, prediction, totals.truth)

    def at_gamma(self, gamma: float) -> Totals:
        """Counts of the whole data set at one gamma of the grid, (K,) each; see `sweep`.

        Raises:
            ValueError: gamma is not one of `GAMMAS`.
        """
        at, swept = gamma_index(gamma), self.sweep()
        return Totals(swept.intersection[at], swept.prediction[at], swept.truth)

    def _swept(self, margin: Integers) -> Integers:
        """(G, K) the pixels of each class's margin counts that it gets at each gamma."""
        below = margin.cumsum(axis=1)[:, :-1]
        above = margin.sum(axis=1, keepdims=True) - below
        return np.where(np.array(self.seen)[:, None], above, below).T

    def digest(self) -> str:
        """SHA-256 of the content in hex: equal digests mean counts that are equal to the last pixel."""
        digest = hashlib.sha256()
        for name, array in _arrays(self).items():
            digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counts) and self.digest() == other.digest()

    __hash__ = None  # type: ignore[assignment]

    def save(self, path: Path) -> None:
        """Write an .npz that holds all of it, whole or not at all; equal counts give equal bytes.

        Raises:
            OSError: it cannot be written; see `draft_of`.
        """
        with draft_of(path) as draft:
            draft.write_bytes(_zipped(_arrays(self)))


def gamma_index(gamma: float) -> int:
    """Where a gamma stands among `GAMMAS`. Raises ValueError naming the nearest where it is not one of them."""
    nearest = int(np.abs(GAMMAS - gamma).argmin())
    if not abs(GAMMAS[nearest] - gamma) < 1e-9:
        raise ValueError(f"gamma {gamma} is not on the grid -1, -0.99 … 1; the nearest is {GAMMAS[nearest]:g}")
    return nearest


def load(path: Path) -> Counts:
    """Read what `Counts.save` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, cut short, or something else.
    """
    content = io.BytesIO(path.read_bytes())
    try:
        with zipfile.ZipFile(content) as archive:
            blobs = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
        return _unpacked({name: np.load(io.BytesIO(blob), allow_pickle=False) for name, blob in blobs.items()})
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{path} does not hold counts ({error}); expected a whole file written by Counts.save: "
            "copy it again or evaluate the run again"
        ) from error


def merge(parts: Sequence[Counts]) -> Counts:
    """Join the counts of evaluators that each saw some of the images; the order of the parts does not matter.

    Raises:
        ValueError: no parts, parts with other classes, or an image that was counted twice.
    """
    if not parts:
        raise ValueError("there are no counts to merge: give at least one part")
    first = parts[0]
    for part in parts:
        if (part.classes, part.seen) != (first.classes, first.seen):
            raise ValueError("parts to merge differ in their classes or in which are seen: evaluate them on one split")
    ids = [name for part in parts for name in part.image_ids]
    twice = sorted(name for name, times in Tally(ids).items() if times > 1)
    if twice:
        raise ValueError(f"{len(twice)} images were counted more than once, such as {twice[:3]}: shard without overlap")
    order = sorted(range(len(ids)), key=ids.__getitem__)
    rows = {name: sparse.vstack([getattr(part, name) for part in parts], format="csr")[order] for name in MATRICES}
    margins = {name: np.sum([getattr(part, name) for part in parts], axis=0) for name in MARGINS}
    return Counts(tuple(ids[at] for at in order), first.classes, first.seen, **rows, **margins)


def _canonical(matrix: Matrix) -> Matrix:
    """A copy in the one form that equal counts share: int64, columns ascending, no stored zeros."""
    copy: Matrix = sparse.csr_array(matrix.astype(np.int64), copy=True)
    copy.sum_duplicates()
    copy.eliminate_zeros()
    return copy


def _check_names(counts: Counts) -> None:
    ids, classes, seen = counts.image_ids, counts.classes, counts.seen
    if len(set(classes)) != len(classes):
        raise ValueError(f"class names repeat among {classes}: give each of the {len(classes)} columns its own name")
    if len(seen) != len(classes):
        raise ValueError(f"{len(seen)} seen flags for {len(classes)} classes: give one per class")
    out_of_order = [(a, b) for a, b in pairwise(ids) if a >= b]
    if out_of_order:
        raise ValueError(f"image ids must be different and ascending, not {out_of_order[0]}: sort the rows by id")


def _check_sizes(counts: Counts) -> None:
    rows, columns = len(counts.image_ids), len(counts.classes)
    expected = dict.fromkeys(MATRICES, (rows, columns)) | dict.fromkeys(MARGINS, (columns, len(GAMMAS) + 1))
    for name, shape in expected.items():
        given = getattr(counts, name).shape
        if given != shape:
            raise ValueError(f"{name} has shape {given}, expected {shape} for {rows} images and {columns} classes")


def _check_values(counts: Counts) -> None:
    least = {
        "intersection": counts.intersection,
        "prediction - intersection": counts.prediction - counts.intersection,
        "truth - intersection": counts.truth - counts.intersection,
    }
    for name, matrix in least.items():
        if matrix.data.min(initial=0) < 0:
            raise ValueError(f"{name} is {matrix.data.min()} somewhere: counts of pixels cannot be negative")
    if (counts.margin_intersection < 0).any() or (counts.margin_prediction < counts.margin_intersection).any():
        raise ValueError("margin counts need 0 <= margin_intersection <= margin_prediction everywhere")


def _arrays(counts: Counts) -> dict[str, NDArray[Any]]:
    """The content as named little-endian arrays, names and flags as JSON in the first."""
    header = {
        "format": FORMAT,
        "image_ids": counts.image_ids,
        "classes": counts.classes,
        "seen": [bool(is_seen) for is_seen in counts.seen],
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    arrays: dict[str, NDArray[Any]] = {"header": np.frombuffer(text, dtype=np.uint8)}
    for name in MATRICES:
        matrix = getattr(counts, name)
        arrays |= {f"{name}_{part}": getattr(matrix, part).astype("<i8") for part in ("data", "indices", "indptr")}
    return arrays | {name: getattr(counts, name).astype("<i8") for name in MARGINS}


def _unpacked(arrays: Mapping[str, NDArray[Any]]) -> Counts:
    header = json.loads(arrays["header"].tobytes())
    if header["format"] != FORMAT:
        raise ValueError(f"its format is {header['format']!r}, this version reads {FORMAT!r}")
    values: dict[str, Any] = {name: tuple(header[name]) for name in ("image_ids", "classes", "seen")}
    shape = (len(values["image_ids"]), len(values["classes"]))
    for name in MATRICES:
        parts = tuple(arrays[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
        values[name] = sparse.csr_array(parts, shape=shape)
    values |= {name: arrays[name] for name in MARGINS}
    return Counts(**{field.name: values[field.name] for field in fields(Counts)})


def _zipped(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The arrays as the bytes of an .npz; unlike numpy's own writer this promises no clock and no platform in them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.compress_type = 3, zipfile.ZIP_DEFLATED
            blob = io.BytesIO()
            np.lib.format.write_array(blob, array, allow_pickle=False)
            archive.writestr(entry, blob.getvalue(), compresslevel=6)
    return buffer.getvalue()
