"""Comparison of single label maps with the counts of the run that predicted them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.core.types import get_ignore_label
from benchmark.evaluation.counts import Counts
from benchmark.exchange.count_labels import count_pairs


class LabelCheck:
    """Check whether label maps give the counts of a run, image by image.

    Args:
        counts: Counts of the run.

    Attributes:
        checked: Number of images that were compared.
        different: Ids of images whose counts differ.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._rows = {image_id: row for row, image_id in enumerate(counts.image_ids)}
        self.checked = 0
        self.different: list[str] = []

    @property
    def is_complete(self) -> bool:
        """Whether all images of the run were compared."""
        return self.checked == len(self._rows)

    def add(self, image_id: str, labels: NDArray[np.integer], target: NDArray[np.integer]) -> None:
        """Compare the label map of an image, (H, W), with the counts of the run."""
        size = len(self._counts.classes)
        table = count_pairs(labels, target, num_classes=size, ignore=get_ignore_label(size))
        row = self._rows[image_id]
        expected = [
            getattr(self._counts, name)[[row]].toarray()[0] for name in ("intersection", "prediction", "target")
        ]
        actual = [table.diagonal(), table[:, :-1].sum(axis=0), table.sum(axis=1)]
        self.checked += 1
        if not all(np.array_equal(a, b) for a, b in zip(actual, expected, strict=True)):
            self.different.append(image_id)
