"""Views of an image at evaluation: overlapping windows and the whole image, whose probabilities are averaged."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.lazy_scores import LazyPrediction
from benchmark.core.types import Prediction, Sample
from benchmark.wrappers.sliding_window import Box, iterate_windows
from methods.blocks.cost_aggregation.config import ViewsConfig

SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1, so that their log-odds are finite."""


def make_views(image: Tensor, config: ViewsConfig) -> tuple[Tensor, list[Box]]:
    """Cut windows from a resized image; the last view is the whole image at the size of a window.

    Args:
        image: (1, 3, H, W).
        config: Sizes of the views.

    Returns:
        (V + 1, 3, window, window) views, and rows and columns of the V windows in the resized image.
    """
    resized = _resize(image, config.side)
    boxes = list(iterate_windows(config.side, config.side, side=config.window, stride=config.stride))
    windows = [resized[:, :, rows, columns] for rows, columns in boxes]
    return torch.cat([*windows, _resize(image, config.window)]), boxes


def join_views(logits: Tensor, boxes: list[Box], sample: Sample, *, config: ViewsConfig) -> Prediction:
    """Return the prediction of an image from the logits (V + 1, K, h, w) of its views."""
    prediction = ViewedPrediction(
        logits=logits.float(),
        boxes=boxes,
        side=config.side,
        window=config.window,
        output_size=(sample["height"], sample["width"]),
    )
    return cast(Prediction, prediction)


class ViewedPrediction(LazyPrediction):
    """Mean probabilities of the windows over a pixel, averaged with those of the whole image, as log-odds.

    Log-odds do not change which class is most likely, and are logits, which the benchmark expects of a prediction.

    Keys:
        logits: (V + 1, K, h, w) of each view, the whole image last.
        boxes: Rows and columns of each window in the resized image.
        side: Height and width of the resized image.
        window: Side of a window.
        output_size: Height and width of the scores to return.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (K, height, width) of all scores."""
        height, width = self["output_size"]
        return self["logits"].shape[1], height, width

    def compute_scores(self, classes: slice) -> Tensor:
        """Average the probabilities of some classes over the views and resize them bilinearly to the output size.

        Args:
            classes: Slice of N classes.

        Returns:
            (N, height, width) log-odds.
        """
        views = _resize(self["logits"][:, classes], self["window"]).sigmoid()  # (V + 1, N, window, window)
        side = self["side"]
        total, visits = views.new_zeros(views.shape[1], side, side), views.new_zeros(side, side)
        for view, (rows, columns) in zip(views[:-1], self["boxes"], strict=True):
            total[:, rows, columns] += view
            visits[rows, columns] += 1
        mean = (total / visits + _resize(views[-1:], side)[0]) / 2  # (N, side, side)
        output = F.interpolate(mean[None], size=self["output_size"], mode="bilinear", align_corners=False)[0]
        return output.logit(SMALLEST)


def _resize(maps: Tensor, side: int) -> Tensor:
    """Resize maps (B, C, h, w) bilinearly, without a low-pass filter: (B, C, side, side)."""
    return F.interpolate(maps, size=(side, side), mode="bilinear", align_corners=False)
