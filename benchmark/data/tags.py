"""Tags of images: the names of the classes that an image shows, for methods that declare them as their supervision."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from benchmark.core.types import Sample


def list_shown_classes(target: Tensor, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the classes with at least one pixel.

    Args:
        target: (H, W) indices into the classes; other values are ignored.
        classes: Class names.

    Returns:
        Names in the order of the classes.
    """
    return tuple(classes[index] for index in target.unique().tolist() if 0 <= index < len(classes))


def add_tags(sample: Sample, target: Tensor, classes: Sequence[str]) -> Sample:
    """Return a copy of a sample with the names of the classes that its target (H, W) shows."""
    tagged = sample.copy()
    tagged["tags"] = list_shown_classes(target, classes)
    return tagged
