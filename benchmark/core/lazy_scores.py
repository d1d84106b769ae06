"""Score maps that are computed when they are read, a few classes at a time.

The scores of a network are small, such as (K, H/8, W/8); at full size, those of 847 classes are a gigabyte per image.
So a prediction may keep the small ones: it is a dict whose "sem_seg" is computed on access, and code that needs only
the most likely class never accesses it. Map by map, the values are those of "sem_seg", to the last bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.best_classes import find_best_classes
from benchmark.core.compiled_scores import SMALL_SIDES, CompiledScores, open_compiled
from benchmark.core.types import Prediction

CHUNK_SCORES = 2**22
"""Scores that are computed at a time: 16 MB in float32, which fits into the caches of processors."""

LANES = 16
"""Chunks begin at multiples of this number. When torch resizes with channels last, which includes all predictions of
up to 128 rows and columns together, it treats channels in vectors of up to 16 and rounds the remaining ones
differently."""

MIN_CHANNELS = 4
"""Channels of the smallest chunk: with fewer, torch does not resize with channels last."""


class LazyPrediction(dict[str, Any], ABC):
    """A `Prediction` whose "sem_seg" (K, height, width) is computed on every access.

    Its items are the tensors and sizes that the scores are computed from, so that an engine can move and convert them
    as those of any dict.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Shape (K, height, width) of "sem_seg"."""

    @abstractmethod
    def compute_scores(self, classes: slice) -> Tensor:
        """Compute the score maps of some classes.

        The slices that `ScoreMaps` reads are exact; the last bits of others may be rounded differently.

        Args:
            classes: Slice of k classes.

        Returns:
            (k, height, width) scores.
        """

    def __missing__(self, key: str) -> Tensor:
        if key != "sem_seg":
            raise KeyError(key)
        return self.compute_scores(slice(None))

    def __contains__(self, key: object) -> bool:
        return key == "sem_seg" or super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, including "sem_seg"."""
        return self[key] if key == "sem_seg" else super().get(key, default)


class LowResPrediction(LazyPrediction):
    """Scores of a padded image in low resolution.

    Keys:
        low_res: (1, K, h, w) scores over the padded image.
        padded_size: Height and width of the padded image.
        image_size: Height and width of the image in its upper left corner.
        output_size: Height and width of the prediction.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (K, height, width) of "sem_seg"."""
        height, width = self["output_size"]
        return self["low_res"].shape[1], height, width

    def compute_scores(self, classes: slice) -> Tensor:
        """Resize to the padded image, remove the padding, and resize to the size of the prediction.

        Args:
            classes: Slice of k classes.

        Returns:
            (k, height, width) scores, bilinear.
        """
        low_res = self["low_res"]
        chunk = low_res[:, classes]  # (1, k, h, w)
        if low_res.is_contiguous(memory_format=torch.channels_last):  # torch resizes this layout in its own way
            chunk = chunk.contiguous(memory_format=torch.channels_last)
        sizes = self["padded_size"], self["image_size"], self["output_size"]
        return resize_without_padding(chunk, padded_size=sizes[0], image_size=sizes[1], output_size=sizes[2])[0]


def resize_without_padding(
    maps: Tensor, *, padded_size: Sequence[int], image_size: Sequence[int], output_size: Sequence[int]
) -> Tensor:
    """Resize maps of a padded image to its size, remove the padding, and resize them to the size of a prediction.

    Args:
        maps: (B, C, h, w), covering the padded image.
        padded_size: Height and width of the padded image.
        image_size: Height and width of the image in its upper left corner.
        output_size: Height H and width W of the prediction.

    Returns:
        (B, C, H, W), bilinear.
    """
    height, width = image_size
    padded = _resize(maps, padded_size)
    return resize_to_output(padded[:, :, :height, :width], output_size)


def resize_to_output(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Resize maps (B, C, h, w) of an image bilinearly to the size (H, W) of a prediction, if they have another one."""
    if tuple(maps.shape[2:]) == tuple(size):
        return maps
    return _resize(maps, size)


def _resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Resize maps (B, C, h, w) bilinearly to the size (H, W)."""
    if not _is_resized_transposed(maps, size):
        return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
    layout = torch.channels_last if maps.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    return _resize_transposed(maps, size).contiguous(memory_format=layout)


def _is_resized_transposed(maps: Tensor, size: Sequence[int]) -> bool:
    """Return whether torch resizes maps with channels last."""
    return sum(size) <= SMALL_SIDES and maps.device.type == "cpu" and not maps.requires_grad


def _resize_transposed(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Resize small maps to channels last: torch would convert them there and back in the same way, but more slowly."""
    last = maps.contiguous(memory_format=torch.channels_last)
    return F.interpolate(last, size=tuple(size), mode="bilinear", align_corners=False)


AnyPrediction = Tensor | Prediction | LazyPrediction
"""A prediction, or its scores (K, height, width)."""


@dataclass(frozen=True, eq=False)
class ScoreMaps:
    """Score maps of one image in the order of the classes, (height, width) each.

    They are computed during every iteration, and have no gradients.

    Attributes:
        shape: (K, height, width).
        read: Function that returns the maps of some classes, (k, height, width).
    """

    shape: tuple[int, ...]
    read: Callable[[slice], Tensor]

    def __iter__(self) -> Iterator[Tensor]:
        for chunk in self.chunks():
            yield from chunk

    def chunks(self) -> Iterator[Tensor]:
        """Yield all maps, a few in each tensor (k, height, width)."""
        for classes in _split_classes(self.shape):
            yield self.read(classes).detach().contiguous()  # several times as fast to read map by map


def get_score_maps(scores: AnyPrediction) -> ScoreMaps:
    """Return the score maps of a prediction, or of scores (K, height, width)."""
    shape = get_shape(scores)
    if isinstance(scores, LazyPrediction) and is_small(shape):
        scores = scores["sem_seg"].contiguous()  # so small that all are computed once, however often they are read
    return ScoreMaps(shape, partial(get_scores, scores))


def get_scores(scores: AnyPrediction, classes: slice) -> Tensor:
    """Return the maps of k classes, (k, height, width), of a prediction or of scores (K, height, width)."""
    if isinstance(scores, LazyPrediction):
        return scores.compute_scores(classes)
    return (scores if isinstance(scores, Tensor) else scores["sem_seg"])[classes]


def get_shape(scores: AnyPrediction) -> tuple[int, ...]:
    """Return the shape (K, height, width) of a prediction or of scores."""
    if isinstance(scores, LazyPrediction):
        return scores.shape
    return tuple((scores if isinstance(scores, Tensor) else scores["sem_seg"]).shape)


def compute_label_map(scores: AnyPrediction, *, among: Collection[int] | None = None) -> Tensor:
    """Compute the most likely class of every pixel, without computing all scores first.

    Args:
        scores: Prediction, or finite scores (K, height, width).
        among: Ids of the classes that may be chosen, at least one; None for all.

    Returns:
        (height, width) long, the first class if several have the highest score.
    """
    group = range(get_shape(scores)[0]) if among is None else among
    compiled = open_compiled_scores(scores)
    if compiled is not None:
        _, labels = compiled.find_best([group])
        return torch.from_numpy(labels[0]).long()
    return find_best_classes(get_score_maps(scores).chunks(), [group]).labels[0].long()


def open_compiled_scores(scores: AnyPrediction) -> CompiledScores | None:
    """Return the scores of a prediction for compiled loops; None if they would not be faster or not exact."""
    if type(scores) is not LowResPrediction or is_small(scores.shape):
        return None
    return open_compiled(
        scores["low_res"],
        padded_size=scores["padded_size"],
        image_size=scores["image_size"],
        output_size=scores["output_size"],
        expected=lambda: scores.compute_scores(slice(1))[0].detach().numpy(),
    )


def compute_small_maps(prediction: LazyPrediction) -> Tensor | None:
    """Compute all scores (K, height, width) in the memory layout that takes least time; None unless they are small."""
    if not is_small(prediction.shape):
        return None
    if type(prediction) is LowResPrediction and tuple(prediction["image_size"]) == prediction.shape[1:]:
        low_res, padded_size, (height, width) = prediction["low_res"], prediction["padded_size"], prediction.shape[1:]
        if _is_resized_transposed(low_res, padded_size):
            return _resize_transposed(low_res, padded_size)[0, :, :height, :width]
    scores: Tensor = prediction["sem_seg"]
    return scores


def is_small(shape: Sequence[int]) -> bool:
    """Return whether all scores (K, height, width) are computed at a time."""
    return shape[0] - MIN_CHANNELS < _count_classes_at_a_time(shape)


def _split_classes(shape: Sequence[int]) -> list[slice]:
    """Return the slices of classes that are computed together."""
    starts = range(0, max(1, shape[0] - MIN_CHANNELS + 1), _count_classes_at_a_time(shape))
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], shape[0]], strict=True)]


def _count_classes_at_a_time(shape: Sequence[int]) -> int:
    return max(1, CHUNK_SCORES // (shape[1] * shape[2] * LANES)) * LANES
