"""The batch contract (Detectron2's): what goes into a method and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from torch import Tensor

IGNORE = 255
"""The label of pixels that are neither trained on nor scored."""

WIDE_IGNORE = 65535
"""What stands for `IGNORE` where there are so many classes that 255 is one of them."""


def ignore_label(classes: int) -> int:
    """The label to ignore beside this many classes: `IGNORE` up to 255 of them, else `WIDE_IGNORE`."""
    return IGNORE if classes <= IGNORE else WIDE_IGNORE


class Sample(TypedDict):
    """One image.

    Keys:
        image: (3, H, W) RGB in 0-255: float as methods see it; bytes as it may leave the loader, as four times as many
            of them pass between processes and to a device (`benchmark.engine.device.move_to_device` makes them float).
        height, width: the size in pixels that the prediction must have.
        file_name: where the picture lies, or its address in a procedural world.
        image_id: unique within a part of a data set.
        sem_seg: (H, W) long as methods see it, an index into the classes being trained or `ignore_label` of their
            number; in training only.
        unlabelled: (H, W) bool, the pixels that pseudo labels may fill; in transductive training only.
    """

    image: Tensor
    height: int
    width: int
    file_name: str
    image_id: str
    sem_seg: NotRequired[Tensor]
    unlabelled: NotRequired[Tensor]


class Prediction(TypedDict):
    """The answer for one image.

    Keys:
        sem_seg: (K, height, width) float scores before calibration; K = the classes last given to `set_classes`. It may
            be made when it is asked for, see `benchmark.core.lazy_scores`.
    """

    sem_seg: Tensor


Batch = list[Sample]
Losses = dict[str, "Tensor"]
"""Scalar losses by name, already weighted; their sum is minimised."""
