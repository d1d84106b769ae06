"""A sliding window around a method: large images are scored piece by piece, as mmsegmentation's "slide" mode does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import cast

import torch.nn.functional as F
from torch import Tensor

from benchmark.core.lazy_scores import LazyPrediction, scores_of, shape_of
from benchmark.core.method import Method
from benchmark.core.types import Batch, Losses, Prediction, Sample

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

    def initialize(self, batches: Iterable[Batch]) -> None:
        """The inner method's."""
        self.method.step_context = self.step_context
        self.method.initialize(batches)

    def losses(self, batch: Batch) -> Losses:
        """The inner method's."""
        self.method.step_context = self.step_context
        return self.method.losses(batch)

    def predict(self, batch: Batch) -> list[Prediction]:
        """Mean scores of all windows over a pixel, then bilinear to the size that is asked for; made when read."""
        self.method.step_context = self.step_context
        return cast(list[Prediction], [self._windowed(sample) for sample in batch])

    def _windowed(self, sample: Sample) -> WindowedPrediction:
        height, width = sample["image"].shape[1:]
        boxes = list(windows(height, width, side=self.side, stride=self.stride))
        return WindowedPrediction(
            windows=[self._window(sample, box) for box in boxes],
            boxes=boxes,
            inside=(height, width),
            size=(sample["height"], sample["width"]),
        )

    def _window(self, sample: Sample, box: Box) -> Prediction:
        """The answer for one window at its own size."""
        piece = sample.copy()
        piece["image"] = sample["image"][:, box[0], box[1]]
        piece["height"], piece["width"] = piece["image"].shape[1:]
        return self.method.predict([piece])[0]


class WindowedPrediction(LazyPrediction):
    """Mean scores of overlapping windows.

    Keys:
        windows: a prediction for each.
        boxes: their rows and columns in the image.
        inside: height and width of the image.
        size: height and width that the answer must have.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """(K, height, width)."""
        height, width = self["size"]
        return shape_of(self["windows"][0])[0], height, width

    def scores(self, classes: slice) -> Tensor:
        """Averaged where windows overlap, then bilinear to the size asked for, if another."""
        parts = (scores_of(window, classes) for window in self["windows"])
        first = next(parts)
        height, width = self["inside"]
        total, visits = first.new_zeros((len(first), height, width)), first.new_zeros((height, width))
        for part, (rows, columns) in zip(chain([first], parts), self["boxes"], strict=True):
            total[:, rows, columns] += part
            visits[rows, columns] += 1
        mean = (total / visits)[None]
        is_done = mean.shape[2:] == self["size"]
        return mean[0] if is_done else F.interpolate(mean, size=self["size"], mode="bilinear")[0]


def windows(height: int, width: int, *, side: int, stride: int) -> Iterator[Box]:
    """Rows and columns of every window: they cover all pixels; the last of a row or column is moved inside."""
    for top in _starts(height, side=side, stride=stride):
        for left in _starts(width, side=side, stride=stride):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))


def _starts(length: int, *, side: int, stride: int) -> list[int]:
    count = max(length - side + stride - 1, 0) // stride + 1
    return [max(0, min(index * stride, length - side)) for index in range(count)]
