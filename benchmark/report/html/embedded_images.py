"""Images, targets and predictions that a page may hold, as encoded files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class ClassColor(NamedTuple):
    """A class in the legend: its name, color as #rrggbb, and whether it is unseen."""

    name: str
    color: str
    is_unseen: bool


@dataclass(frozen=True)
class EmbeddedImage:
    """An image with what rows predict for it, as data URLs.

    Attributes:
        image: The image.
        target: Its target.
        predictions: Prediction by label of the row.
        errors: Where a prediction is right and wrong, by label of the row.
    """

    image: str
    target: str
    predictions: Mapping[str, str]
    errors: Mapping[str, str]


@dataclass(frozen=True)
class EmbeddedImages:
    """Embedded images of a split.

    Attributes:
        by_image: Embedded image by ID of the image.
        legend: Classes that occur.
        errors_legend: Colors and words of the error maps.
        note: How images and runs were chosen.
        left_out: Reason by label of the rows without predictions.
    """

    by_image: Mapping[str, EmbeddedImage] = field(default_factory=dict)
    legend: tuple[ClassColor, ...] = ()
    errors_legend: tuple[tuple[str, str], ...] = ()
    note: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)


NO_IMAGES = EmbeddedImages()
