"""Checks that a dataset has what a split and a method need."""

from __future__ import annotations

from benchmark.core.split import Split
from benchmark.data.base import CaptionSource, Dataset, PointSource
from benchmark.utils.did_you_mean import explain_unknown_name


def check_fits(dataset: Dataset, split: Split) -> None:
    """Check that a split can be run on a dataset.

    Raises:
        ValueError: The dataset lacks a class of the split, or a subset is empty or has another size than in the split.
        KeyError: The dataset does not have a subset of the split.
    """
    missing = [name for name in split.classes if name not in dataset.classes]
    if missing:
        reason = explain_unknown_name("class", missing[0], dataset.classes)
        more = f" Also missing: {', '.join(missing[1:])}." if missing[1:] else ""
        raise ValueError(f"split {split.name!r} does not fit dataset {dataset.name!r}: {reason}.{more}")
    for subset in (split.train, split.evaluate):
        size, expected = dataset.size(subset), split.images.get(subset)
        if size < 1:
            raise ValueError(f"subset {subset!r} of dataset {dataset.name!r} is empty")
        if expected not in (None, size):
            raise ValueError(
                f"split {split.name!r} expects {expected} images in subset {subset!r} of {dataset.name!r}, found "
                f"{size}: complete the dataset (chimera-bench data check {dataset.name}), or run a copy of the split "
                f"file with images: {{{subset}: {size}}}"
            )


def require_captions(dataset: Dataset) -> CaptionSource:
    """Return a dataset as a source of captions.

    Raises:
        ValueError: Its images have no captions.
    """
    if not isinstance(dataset, CaptionSource):
        raise ValueError(
            f"dataset {dataset.name!r} has no captions, which the method is trained with: use a dataset with captions, "
            "such as toybox, or another method"
        )
    return dataset


def require_points(dataset: Dataset) -> PointSource:
    """Return a dataset as a source of points.

    Raises:
        ValueError: Its images have no points.
    """
    if not isinstance(dataset, PointSource):
        raise ValueError(
            f"dataset {dataset.name!r} has no points, which the method is trained with: use a dataset with points, "
            "such as toybox, or another method"
        )
    return dataset
