"""The batch contract (Detectron2's): what goes into a method and what comes out."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from torch import Tensor

IGNORE = 255
"""The label of pixels that are neither trained on nor scored."""


class Sample(TypedDict):
    """One image.

    Keys:
        image: (3, H, W) float RGB in 0-255.
        height, width: the size in pixels that the prediction must have.
        file_name: where the picture lies, or its address in a procedural world.
        image_id: unique within a part of a data set.
        sem_seg: (H, W) long, an index into the classes of the split or IGNORE; in training only.
    """

    image: Tensor
    height: int
    width: int
    file_name: str
    image_id: str
    sem_seg: NotRequired[Tensor]


class Prediction(TypedDict):
    """The answer for one image.

    Keys:
        sem_seg: (K, height, width) float scores before calibration; K = the classes last given to `set_classes`.
    """

    sem_seg: Tensor


Batch = list[Sample]
Losses = dict[str, Tensor]
"""Scalar losses by name, already weighted; their sum is minimised."""
