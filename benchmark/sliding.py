"""A sliding window around a method: large images are scored piece by piece, as mmsegmentation's "slide" mode does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch.nn.functional as F
from torch import Tensor

from benchmark.method import Method
from benchmark.types import Batch, Losses, Prediction, Sample

Box = tuple[slice, slice]


class SlidingWindow(Method):
    """Scores windows of an image with another method and averages where they overlap.

    Training is the inner method's own.

    Args:
        method: what scores a window.
        side: of the square windows in pixels.
        stride: pixels between windows.
    """

    def __init__(self, method: Method, *, side: int, stride: int) -> None:
        super().__init__()
        self.method, self.side, self.stride = method, side, stride

    def set_classes(self, names: Sequence[str]) -> None:
        """Score these classes from now on."""
        self.method.set_classes(names)

    def initialise(self, batches: Iterable[Batch]) -> None:
        """The inner method's."""
        self.method.moment = self.moment
        self.method.initialise(batches)

    def losses(self, batch: Batch) -> Losses:
        """The inner method's."""
        self.method.moment = self.moment
        return self.method.losses(batch)

    def predict(self, batch: Batch) -> list[Prediction]:
        """Mean scores of all windows over a pixel, then bilinear to the size that is asked for."""
        self.method.moment = self.moment
        return [{"sem_seg": self._scores(sample)} for sample in batch]

    def _scores(self, sample: Sample) -> Tensor:
        """(K, height, width) of one sample."""
        height, width = sample["image"].shape[1:]
        boxes = list(windows(height, width, side=self.side, stride=self.stride))
        first = self._window(sample, boxes[0])
        total, visits = first.new_zeros((len(first), height, width)), first.new_zeros((height, width))
        for at, (rows, columns) in enumerate(boxes):
            total[:, rows, columns] += self._window(sample, (rows, columns)) if at else first
            visits[rows, columns] += 1
        size = (sample["height"], sample["width"])
        mean = (total / visits)[None]
        return mean[0] if mean.shape[2:] == size else F.interpolate(mean, size=size, mode="bilinear")[0]

    def _window(self, sample: Sample, box: Box) -> Tensor:
        """(K, h, w) of one window at its own size."""
        piece = sample.copy()
        piece["image"] = sample["image"][:, box[0], box[1]]
        piece["height"], piece["width"] = piece["image"].shape[1:]
        return self.method.predict([piece])[0]["sem_seg"]


def windows(height: int, width: int, *, side: int, stride: int) -> Iterator[Box]:
    """Rows and columns of every window: they cover all pixels; the last of a row or column is moved inside."""
    for top in _starts(height, side=side, stride=stride):
        for left in _starts(width, side=side, stride=stride):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))


def _starts(length: int, *, side: int, stride: int) -> list[int]:
    count = max(length - side + stride - 1, 0) // stride + 1
    return [max(0, min(index * stride, length - side)) for index in range(count)]
