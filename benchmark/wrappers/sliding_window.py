"""Sliding window around a method: large images are scored window by window, as in mmsegmentation's "slide" mode.

All windows of an image have the same size. On a GPU, several go through the method together. On the CPU they go one by
one: a product of larger matrices may round its last bit differently, and recorded counts are to be reproduced there.
Images are not put together, as an engine evaluates each with random streams of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import cast

import torch.nn.functional as F
from torch import Tensor

from benchmark.core.lazy_scores import LazyPrediction, get_scores, get_shape
from benchmark.core.method import Method
from benchmark.core.method_outputs import check_predictions
from benchmark.core.types import Batch, Losses, Prediction, Sample

MAX_PIXELS = 2**20
"""Pixels of the windows that go through a method together on a GPU, such as four windows of 512 x 512."""

Box = tuple[slice, slice]
"""Rows and columns of a window."""


class SlidingWindow(Method):
    """Method that scores windows of an image with another method and averages the scores where windows overlap.

    Training is that of the inner method.

    Args:
        method: Method that scores a window.
        side: Height and width of a window in pixels.
        stride: Pixels between the starts of neighboring windows.
    """

    def __init__(self, method: Method, *, side: int, stride: int) -> None:
        super().__init__()
        self.method, self.side, self.stride = method, side, stride

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the classes that the inner method scores."""
        self.method.set_classes(names)

    def initialize(self, batches: Iterable[Batch]) -> None:
        """Initialize the inner method."""
        self.method.step_context = self.step_context
        self.method.initialize(batches)

    def losses(self, batch: Batch) -> Losses:
        """Return the losses of the inner method on whole images (3, H, W): scalar tensors by name."""
        self.method.step_context = self.step_context
        return self.method.losses(batch)

    def predict(self, batch: Batch) -> list[Prediction]:
        """Predict each image from its windows; scores are averaged when they are read.

        Args:
            batch: Samples with image (3, H, W) of any size.

        Returns:
            One prediction per sample in order, with sem_seg (K, height, width): the mean scores of all windows over a
            pixel, then resized bilinearly to the height and width of the sample.
        """
        self.method.step_context = self.step_context
        return cast(list[Prediction], [self._predict_windows(sample) for sample in batch])

    def _predict_windows(self, sample: Sample) -> WindowedPrediction:
        height, width = sample["image"].shape[1:]
        boxes = list(iterate_windows(height, width, side=self.side, stride=self.stride))
        windows = [_cut_window(sample, box) for box in boxes]
        size = count_windows_together(windows[0]["image"])
        batches = [windows[start : start + size] for start in range(0, len(windows), size)]
        return WindowedPrediction(
            windows=[prediction for batch in batches for prediction in self._predict_batch(batch)],
            boxes=boxes,
            image_size=(height, width),
            output_size=(sample["height"], sample["width"]),
        )

    def _predict_batch(self, windows: Batch) -> list[Prediction]:
        """Predict windows of one size at that size."""
        return check_predictions(self.method.predict(windows), windows, self.method)


class WindowedPrediction(LazyPrediction):
    """Mean scores of overlapping windows.

    Keys:
        windows: Prediction (K, h, w) of each window.
        boxes: Rows and columns of each window in the image.
        image_size: Height and width of the image.
        output_size: Height and width of the scores to return.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (K, height, width) of all scores."""
        height, width = self["output_size"]
        return get_shape(self["windows"][0])[0], height, width

    def compute_scores(self, classes: slice) -> Tensor:
        """Average the scores of some classes over the windows and resize them bilinearly to the output size.

        Args:
            classes: Range of class indices; N of them.

        Returns:
            (N, height, width) scores.
        """
        window_scores = (get_scores(window, classes) for window in self["windows"])  # (N, h, w) each
        first = next(window_scores)
        height, width = self["image_size"]
        # sum the scores of all windows over a pixel, and count those windows: (N, H, W) and (H, W)
        total, visits = first.new_zeros((len(first), height, width)), first.new_zeros((height, width))
        for scores, (rows, columns) in zip(chain([first], window_scores), self["boxes"], strict=True):
            total[:, rows, columns] += scores
            visits[rows, columns] += 1
        # average, then resize unless the image has the output size: (1, N, H, W) to (N, height, width)
        mean = (total / visits)[None]
        has_output_size = mean.shape[2:] == self["output_size"]
        return mean[0] if has_output_size else F.interpolate(mean, size=self["output_size"], mode="bilinear")[0]


def iterate_windows(height: int, width: int, *, side: int, stride: int) -> Iterator[Box]:
    """Yield rows and columns of every window; they cover all pixels.

    The last window of a row or column of windows is shifted to end at the border of the image.

    Args:
        height: Height of the image.
        width: Width of the image.
        side: Height and width of a window; smaller images have one window of their own size.
        stride: Pixels between the starts of neighboring windows.
    """
    for top in _compute_starts(height, side=side, stride=stride):
        for left in _compute_starts(width, side=side, stride=stride):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))


def count_windows_together(window: Tensor) -> int:
    """Return the number of windows, as large as an image (3, H, W), that go through a method together."""
    return 1 if window.device.type == "cpu" else max(1, MAX_PIXELS // window[0].numel())


def _cut_window(sample: Sample, box: Box) -> Sample:
    """Return the sample of one window, whose prediction has the size of the window."""
    rows, columns = box
    window = sample.copy()
    window["image"] = sample["image"][:, rows, columns]
    window["height"], window["width"] = window["image"].shape[1:]
    return _move_points(window, box) if "points" in sample else window


def _move_points(window: Sample, box: Box) -> Sample:
    """Return a copy of the sample of a window, with its points in pixels of the window instead of the image."""
    rows, columns = box
    moved, uv = window.copy(), window["points_uv"] - window["points_uv"].new_tensor([columns.start, rows.start])
    is_inside = ((uv >= 0) & (uv < uv.new_tensor([window["width"], window["height"]]))).all(dim=1)
    moved["points_uv"], moved["points_valid"] = uv, window["points_valid"] & is_inside
    return moved


def _compute_starts(length: int, *, side: int, stride: int) -> list[int]:
    """Return the first pixel of each window along one axis."""
    count = max(length - side + stride - 1, 0) // stride + 1
    return [max(0, min(index * stride, length - side)) for index in range(count)]
