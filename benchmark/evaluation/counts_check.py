"""Checks of pixel counts: what no evaluation can have counted is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_Integers: TypeAlias = NDArray[np.int64]
_Matrix: TypeAlias = "sparse.csr_array[np.int64, tuple[int, int]]"
ROWS = ("intersection", "prediction", "target")
"""Names of the matrices with one row per image."""


def check_names(image_ids: Sequence[str], classes: Sequence[str], seen: Sequence[bool]) -> None:
    """Check names of images and classes, and the flags.

    Raises:
        ValueError: Names repeat or are out of order, or there is not one flag per class.
    """
    if len(set(classes)) != len(classes):
        raise ValueError(f"class names repeat among {classes}: give each of the {len(classes)} columns its own name")
    if len(seen) != len(classes):
        raise ValueError(f"{len(seen)} seen flags for {len(classes)} classes: give one per class")
    out_of_order = [(a, b) for a, b in pairwise(image_ids) if a >= b]
    if out_of_order:
        raise ValueError(f"image ids must be different and ascending, not {out_of_order[0]}: sort the rows by id")


def check_shapes(shapes: Mapping[str, tuple[int, ...]], *, images: int, classes: int, bins: int) -> None:
    """Check the shape of every array.

    Args:
        shapes: Shapes by name.
        images: Number of images.
        classes: Number of classes.
        bins: Number of margin bins.

    Raises:
        ValueError: A shape is another one.
    """
    expected = dict.fromkeys(ROWS, (images, classes)) | {"confusion": (classes, classes)}
    expected |= dict.fromkeys(("margin_intersection", "margin_prediction"), (classes, bins))
    for name, shape in expected.items():
        if shapes[name] != shape:
            raise ValueError(
                f"{name} has shape {shapes[name]}, expected {shape} for {images} images and {classes} classes"
            )


def check_pixels(
    matrices: Mapping[str, _Matrix], *, margin_intersection: _Integers, margin_prediction: _Integers
) -> None:
    """Check that counts are possible.

    Args:
        matrices: Matrices with one row per image and the confusion, by name.
        margin_intersection: (K, B) as in `Counts`.
        margin_prediction: (K, B) as in `Counts`.

    Raises:
        ValueError: A number is negative, or more pixels are right than predicted or labeled.
    """
    pixels = {
        "intersection": matrices["intersection"],
        "prediction - intersection": matrices["prediction"] - matrices["intersection"],
        "target - intersection": matrices["target"] - matrices["intersection"],
        "confusion": matrices["confusion"],
    }
    for name, matrix in pixels.items():
        if matrix.data.min(initial=0) < 0:
            raise ValueError(f"{name} is {matrix.data.min()} somewhere: counts of pixels cannot be negative")
    if (margin_intersection < 0).any() or (margin_prediction < margin_intersection).any():
        raise ValueError("margin counts need 0 <= margin_intersection <= margin_prediction everywhere")


def check_confusion(
    confusion: _Integers, totals: Mapping[str, _Integers], classes: Sequence[str], *, may_lack_pixels: bool
) -> None:
    """Check that the confusion matrix has the pixels of the images.

    Args:
        confusion: (K, K) confusion matrix.
        totals: (K,) pixels by the name of the matrix, summed over images.
        classes: K names.
        may_lack_pixels: Whether pixels may be predicted as no class, as in label maps.

    Raises:
        ValueError: Its diagonal, or a sum of it, is another one.
    """
    sums = {
        "diagonal": (confusion.diagonal(), totals["intersection"]),
        "column sum": (confusion.sum(axis=0), totals["prediction"]),
        "row sum": (confusion.sum(axis=1), totals["target"]),
    }
    for name, (actual, expected) in sums.items():
        is_wrong = actual > expected if may_lack_pixels and name == "row sum" else actual != expected
        for k in np.flatnonzero(is_wrong)[:1]:
            numbers = f"{actual[k]}, expected {expected[k]} as in the images"
            raise ValueError(f"{name} of the confusion for class {classes[k]!r} is {numbers}")
