"""Selection of the training images of a protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.core.protocol import TrainImages
from benchmark.core.split import Split
from benchmark.data.base import Dataset


def select_train_images(dataset: Dataset, split: Split, images: TrainImages) -> Sequence[int]:
    """Return the indices of the images in the training subset that a protocol trains on, ascending.

    Args:
        dataset: Dataset that the split names.
        split: Classes, and the subset to train on.
        images: Rule of the protocol.

    Raises:
        ValueError: No image is selected, or there are fewer than the rule asks for.
    """
    size = dataset.size(split.train)
    if images == "all":
        return range(size)
    if isinstance(images, int):
        if images > size:
            raise ValueError(
                f"protocol trains on {images} images, but subset {split.train!r} of {dataset.name!r} has {size}: give "
                f"train_images at most {size}"
            )
        return range(images)
    seen, unseen = ({dataset.classes.index(name) for name in names} for names in (split.seen, split.unseen))
    shown = [dataset.read_classes(split.train, index) for index in range(size)]
    is_selected = [bool(labels & seen) if images == "labeled" else not labels & unseen for labels in shown]
    if not any(is_selected):
        raise ValueError(
            f"protocol selects none of the {size} images in subset {split.train!r} of {dataset.name!r} "
            f"(train_images: {images}); use another split or protocol"
        )
    return tuple(np.flatnonzero(is_selected).tolist())
