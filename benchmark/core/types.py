"""The batch contract (Detectron2's): inputs and outputs of methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from torch import Tensor

IGNORE = 255
"""Label of pixels that are neither trained on nor scored."""

WIDE_IGNORE = 65535
"""Replacement for `IGNORE` if 255 is the index of a class."""


def get_ignore_label(num_classes: int) -> int:
    """Return the label of ignored pixels: `IGNORE` for up to 255 classes, else `WIDE_IGNORE`."""
    return IGNORE if num_classes <= IGNORE else WIDE_IGNORE


class Sample(TypedDict):
    """One image.

    Keys:
        image: (3, H, W) RGB in 0-255. Methods get floats; loaders may yield bytes, which are a quarter of the size, and
            `benchmark.engine.device` converts them.
        height: Height of the prediction in pixels.
        width: Width of the prediction in pixels.
        file_name: Path of the image, or its name in the built-in synthetic dataset (toybox).
        image_id: Name of the image, unique within a subset of a dataset.
        sem_seg: (H, W) long, an index into the classes of the training, or `get_ignore_label` of their number; in
            training only.
        unlabeled: (H, W) bool, pixels that pseudo labels may fill; in transductive training only.
        valid_size: Height and width of the image in the upper left corner of `image`; the rest is padding. In training
            only; a sample without it has no padding.
        captions: Sentences about the whole image, at least one; in the training of methods with supervision "captions"
            only. They may name unseen classes.
        tags: Names of the classes of the split that label at least one pixel of the whole image, in the order of the
            split; in evaluation only, and only for methods whose supervision is tags.
        points: (N, 7) float: x to the right, y down and z forward from the camera, in meters, then reflectance, red,
            green and blue in 0-1, zeros for what the sensor does not measure. Points of the whole scene; this and the
            next three only for methods whose supervision is points.
        points_uv: (N, 2) float, column and row of each point in pixels of `image`, from its upper left corner.
        points_valid: (N,) bool, whether a pixel of `image` shows the point: others lie outside or are hidden.
        point_sem_seg: (N,) long, as `sem_seg`; in training only.
    """

    image: Tensor
    height: int
    width: int
    file_name: str
    image_id: str
    sem_seg: NotRequired[Tensor]
    unlabeled: NotRequired[Tensor]
    valid_size: NotRequired[tuple[int, int]]
    captions: NotRequired[tuple[str, ...]]
    tags: NotRequired[tuple[str, ...]]
    points: NotRequired[Tensor]
    points_uv: NotRequired[Tensor]
    points_valid: NotRequired[Tensor]
    point_sem_seg: NotRequired[Tensor]


class Prediction(TypedDict):
    """Prediction for one image.

    Keys:
        sem_seg: (K, height, width) float scores before calibration, for the K classes last given to `set_classes`. They
            may be computed on access, see `benchmark.core.lazy_scores`.
        point_logits: (N, K) such scores of the points of the sample; only from methods whose supervision is points.
    """

    sem_seg: Tensor
    point_logits: NotRequired[Tensor]


Batch = list[Sample]
Losses = dict[str, "Tensor"]
"""Scalar losses by name, already weighted; the engine minimizes their sum."""
