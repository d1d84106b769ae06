"""Tiny random batches for checks of a method."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmark.core.seeding import torch_generator
from benchmark.core.types import Batch, get_ignore_label

SIDE, BLOCK = 32, 8
"""Height and width of a training image in pixels, and of the blocks of one label."""


CAPTION_NAMES = 3
"""Largest number of classes that a caption names, so that it fits into the text encoder of any CLIP."""


def make_caption(names: Sequence[str]) -> str:
    """Return a caption that names the first of some classes."""
    return f"a photo of {', '.join(names[:CAPTION_NAMES])}"


def make_training_batch(num_seen: int, *, name: str = "training batch") -> Batch:
    """Return two images of one size, labeled in blocks with seen classes and the ignore label.

    Args:
        num_seen: Number of seen classes.
        name: Key of the random draws; another name gives another batch.
    """
    generator, blocks = torch_generator(name), SIDE // BLOCK
    images = 255 * torch.rand(2, 3, SIDE, SIDE, generator=generator)
    labels = torch.randint(0, num_seen + 3, (2, blocks, blocks), generator=generator)
    labels = labels.masked_fill(labels >= num_seen, get_ignore_label(num_seen))
    labels = labels.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)  # (2, SIDE, SIDE)
    return [
        {"image": image, "height": SIDE, "width": SIDE, "file_name": name, "image_id": name, "sem_seg": label}
        for image, label, name in zip(images, labels, ("first", "second"), strict=True)
    ]


def make_prediction_batch(*, name: str = "requests") -> Batch:
    """Return two images of different sizes, with predictions requested at two other sizes.

    Args:
        name: Key of the random draws; another name gives another batch.
    """
    generator = torch_generator(name)
    wide, high = 255 * torch.rand(3, 32, 48, generator=generator), 255 * torch.rand(3, 48, 24, generator=generator)
    return [
        {"image": wide, "height": 20, "width": 30, "file_name": "wide", "image_id": "wide"},
        {"image": high, "height": 72, "width": 36, "file_name": "high", "image_id": "high"},
    ]
