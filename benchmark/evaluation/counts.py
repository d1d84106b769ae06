"""Pixel counts of one evaluated run: the only result an evaluation stores, and sufficient for every score.

There are three kinds of counts. Per image and class: the pixels predicted as the class, labeled as the class, and both;
every score, every convention and every resampling of images follows from these. Per class and margin, summed over all
images: the same counts, binned by the lead of the best seen class over the best unseen one; these give the result at
any calibration offset gamma (calibrated stacking, Chao et al. 2016, arXiv 1605.04253) without running the method again.
Per pair of classes, summed over all images: the pixels of one that are predicted as the other, the confusion matrix;
it shows what a low score comes from, such as exchanged class ids.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.evaluation.counts_check import check_confusion, check_names, check_pixels, check_shapes
from benchmark.utils.atomic_files import open_draft
from benchmark.utils.npz import read_npz, to_npz

Integers: TypeAlias = NDArray[np.int64]
Matrix: TypeAlias = "sparse.csr_array[np.int64, tuple[int, int]]"

FORMAT = "chimera-bench counts 2"
MATRICES = {"intersection": "intersection", "prediction": "prediction", "target": "truth"}
"""Fields of `Counts` with one row per image, and their names in files and digests."""
MARGINS = ("margin_intersection", "margin_prediction")
SPARSE = {**MATRICES, "confusion": "confusion"}
"""Fields of `Counts` that are sparse, and their names in files and digests."""

GAMMAS: NDArray[np.float64] = np.arange(-100, 101) / 100
"""(G,) calibration offsets of the sweep, ascending; 0 is exactly 0."""
GAMMAS.setflags(write=False)


class Totals(NamedTuple):
    """Pixels per class, summed over images.

    Attributes:
        intersection: (K,) pixels predicted and labeled as the class; with leading axes where a function says so.
        prediction: (K,) pixels predicted as the class; with the same leading axes.
        target: (K,) pixels labeled as the class.
    """

    intersection: Integers
    prediction: Integers
    target: Integers


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of labeled pixels, N images by K classes; ignored pixels are in none of them.

    Attributes:
        image_ids: N names, strictly ascending, so that equal counts have one form however they were sharded.
        classes: K different names, in the order of the columns.
        seen: K flags: whether the class has masks in training.
        intersection: (N, K) pixels predicted and labeled as the class.
        prediction: (N, K) pixels predicted as the class.
        target: (N, K) pixels labeled as the class. The union is `prediction + target - intersection`.
        margin_intersection: (K, G + 1) pixels of `margin_prediction` that are labeled as the class.
        margin_prediction: (K, G + 1). Every pixel is counted twice, for its best seen and for its best unseen class, in
            column b = number of `GAMMAS` <= p(best seen class) - p(best unseen class), where p is the softmax of the
            logits over all K classes. All zero if there are no seen or no unseen classes, and for imported label maps.
        confusion: (K, K) pixels labeled as the class of the row and predicted as the class of the column, summed over
            the images. Only of imported label maps, a row may lack pixels of its class: those predicted as no class.

    Raises:
        ValueError: Sizes disagree, names repeat or are out of order, or counts are impossible.
    """

    image_ids: tuple[str, ...]
    classes: tuple[str, ...]
    seen: tuple[bool, ...]
    intersection: Matrix
    prediction: Matrix
    target: Matrix
    margin_intersection: Integers
    margin_prediction: Integers
    confusion: Matrix

    def __post_init__(self) -> None:
        check_names(self.image_ids, self.classes, self.seen)
        for name in SPARSE:
            object.__setattr__(self, name, _canonicalize(getattr(self, name)))
        for name in MARGINS:
            margin = np.array(getattr(self, name), dtype=np.int64)
            margin.setflags(write=False)
            object.__setattr__(self, name, margin)
        self._check_arrays()

    def _check_arrays(self) -> None:
        sizes = {"images": len(self.image_ids), "classes": len(self.classes), "bins": len(GAMMAS) + 1}
        check_shapes({name: getattr(self, name).shape for name in (*SPARSE, *MARGINS)}, **sizes)
        matrices, margins = ({name: getattr(self, name) for name in names} for names in (SPARSE, MARGINS))
        check_pixels(matrices, **margins)
        # dense is several times as fast to sum; label maps, which have no margins, may lack pixels
        confusion, is_labels_only = self.confusion.toarray(), not self.margin_prediction.any()
        check_confusion(confusion, self.totals._asdict(), self.classes, may_lack_pixels=is_labels_only)

    @property
    def has_sweep(self) -> bool:
        """Whether there are seen and unseen classes; otherwise no offset changes any prediction."""
        return any(self.seen) and not all(self.seen)

    @cached_property
    def is_labels_only(self) -> bool:
        """Whether labels were counted without their scores, so that no other offset can be applied."""
        return self.has_sweep and not self.margin_prediction.any() and bool(self.target.data.any())

    @cached_property
    def totals(self) -> Totals:
        """Counts of the whole dataset at the gamma they were counted with, (K,) each."""
        return Totals(*(_sum_images(getattr(self, name)) for name in MATRICES))

    def sweep_gammas(self) -> Totals:
        """Return the counts of the whole dataset at every gamma.

        At a gamma, a pixel is predicted as its best seen class if that leads its best unseen class by gamma or more,
        otherwise as its best unseen class. At 0 this is exactly the argmax of the logits, and at the gamma of the
        counter it equals `totals`. Without seen or without unseen classes every gamma gives `totals`: an offset that
        all classes share changes no argmax.

        Returns:
            intersection: (G, K), prediction: (G, K), target: (K,).

        Raises:
            ValueError: The counts are those of label maps without scores.
        """
        if self.is_labels_only:
            raise ValueError("imported labels have no score: their result at another offset gamma is not known")
        intersection, prediction, target = self.totals
        if self.has_sweep:
            intersection, prediction = map(self._sweep_margin, (self.margin_intersection, self.margin_prediction))
        else:
            shape = (len(GAMMAS), len(self.classes))
            intersection, prediction = np.broadcast_to(intersection, shape), np.broadcast_to(prediction, shape)
        return Totals(intersection, prediction, target)

    def count_at_gamma(self, gamma: float) -> Totals:
        """Return the counts of the whole dataset at one gamma of the grid, (K,) each; see `sweep_gammas`.

        Raises:
            ValueError: The gamma is not one of `GAMMAS`.
        """
        index, swept = find_gamma(gamma), self.sweep_gammas()
        return Totals(swept.intersection[index], swept.prediction[index], swept.target)

    def _sweep_margin(self, margin: Integers) -> Integers:
        """Return the pixels that each class gets at each gamma.

        Args:
            margin: (K, G + 1) pixels by class and margin bin.

        Returns:
            (G, K). A seen class gets the pixels whose margin is at least gamma, an unseen class those below.
        """
        below = margin.cumsum(axis=1)[:, :-1]  # (K, G)
        above = margin.sum(axis=1, keepdims=True) - below  # (K, G)
        return np.where(np.array(self.seen)[:, None], above, below).T

    def digest(self) -> str:
        """Return the SHA-256 of the content, in hex: equal digests mean counts that are equal to the last pixel."""
        digest = hashlib.sha256()
        for name, array in _pack(self).items():
            digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counts) and self.digest() == other.digest()

    __hash__ = None  # type: ignore[assignment]

    def save(self, path: Path) -> None:
        """Write an .npz file, completely or not at all; equal counts give equal bytes.

        Raises:
            OSError: The file cannot be written; see `open_draft`.
        """
        with open_draft(path) as draft:
            draft.write_bytes(to_npz(_pack(self)))


def find_gamma(gamma: float) -> int:
    """Return the index of a gamma in `GAMMAS`.

    Raises:
        ValueError: The gamma is not one of them; the message names the nearest.
    """
    nearest = int(np.abs(GAMMAS - gamma).argmin())
    if not abs(GAMMAS[nearest] - gamma) < 1e-9:
        raise ValueError(f"gamma {gamma} is not on the grid -1, -0.99 … 1; the nearest is {GAMMAS[nearest]:g}")
    return nearest


def load(path: Path) -> Counts:
    """Read a file that `Counts.save` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, cut short, or holds something else.
    """
    content = path.read_bytes()
    try:
        return _unpack(read_npz(content))
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{path} does not hold counts ({error}); expected a whole file written by Counts.save: "
            "copy it again or evaluate the run again"
        ) from error


def merge(shards: Sequence[Counts]) -> Counts:
    """Join counts of disjoint sets of images; the order of the shards does not matter.

    Args:
        shards: Counts of evaluators that each saw some of the images.

    Raises:
        ValueError: There are no shards, their classes differ, or an image was counted twice.
    """
    if not shards:
        raise ValueError("there are no counts to merge: give at least one shard")
    first = shards[0]
    for shard in shards:
        if (shard.classes, shard.seen) != (first.classes, first.seen):
            raise ValueError("shards differ in their classes or in which are seen: evaluate them on one split")
    ids = [name for shard in shards for name in shard.image_ids]
    repeated = sorted(name for name, times in Tally(ids).items() if times > 1)
    if repeated:
        raise ValueError(
            f"{len(repeated)} images were counted more than once, such as {repeated[:3]}: shard without overlap"
        )
    order = sorted(range(len(ids)), key=ids.__getitem__)
    rows = {name: sparse.vstack([getattr(shard, name) for shard in shards], format="csr")[order] for name in MATRICES}
    margins = {name: np.sum([getattr(shard, name) for shard in shards], axis=0) for name in MARGINS}
    confusion = sum((shard.confusion for shard in shards[1:]), first.confusion)
    return Counts(
        tuple(ids[index] for index in order), first.classes, first.seen, **rows, **margins, confusion=confusion
    )


def _canonicalize(matrix: Matrix) -> Matrix:
    """Return a copy in the one form that equal counts share: int64, columns ascending, no stored zeros."""
    copy: Matrix = sparse.csr_array(matrix, copy=True).astype(np.int64, copy=False)
    copy.sum_duplicates()
    copy.eliminate_zeros()
    return copy


def _sum_images(matrix: Matrix) -> Integers:
    """Return the (K,) sums of the columns of a (N, K) matrix."""
    sums = np.zeros(matrix.shape[1], dtype=np.int64)
    np.add.at(sums, matrix.indices, matrix.data)
    return sums


def _pack(counts: Counts) -> dict[str, NDArray[Any]]:
    """Return the content as named little-endian arrays; the first holds names and flags as JSON."""
    header = {
        "format": FORMAT,
        "image_ids": counts.image_ids,
        "classes": counts.classes,
        "seen": [bool(is_seen) for is_seen in counts.seen],
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    arrays: dict[str, NDArray[Any]] = {"header": np.frombuffer(text, dtype=np.uint8)}
    for name, stored in SPARSE.items():
        matrix = getattr(counts, name)
        arrays |= {f"{stored}_{part}": getattr(matrix, part).astype("<i8") for part in ("data", "indices", "indptr")}
    return arrays | {name: getattr(counts, name).astype("<i8") for name in MARGINS}


def _unpack(arrays: Mapping[str, NDArray[Any]]) -> Counts:
    """Return the counts whose arrays `_pack` made."""
    header = json.loads(arrays["header"].tobytes())
    if header["format"] != FORMAT:
        raise ValueError(f"its format is {header['format']!r}, this version reads {FORMAT!r}")
    values: dict[str, Any] = {name: tuple(header[name]) for name in ("image_ids", "classes", "seen")}
    images, classes = len(values["image_ids"]), len(values["classes"])
    for name, stored in SPARSE.items():
        shape = (classes if name == "confusion" else images, classes)
        parts = tuple(arrays[f"{stored}_{part}"] for part in ("data", "indices", "indptr"))
        values[name] = sparse.csr_array(parts, shape=shape)
    values |= {name: arrays[name] for name in MARGINS}
    return Counts(**{field.name: values[field.name] for field in fields(Counts)})
