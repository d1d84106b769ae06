"""Score maps that are made when they are read, a few classes at a time.

A network's scores are small, (K, H/8, W/8) say; at full size 847 classes are a gigabyte an image. So a prediction
may keep the small ones: it is a dict whose "sem_seg" is made for whoever asks for it, and what needs no more than the
likeliest class never does. Map by map, the values are those of "sem_seg", to the last bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.types import Prediction

CHUNK_SCORES = 2**22
"""Scores that are made at a time: 16 MB in float32, which caches of processors hold."""

LANES = 16
"""Chunks begin at multiples of it. Where torch resizes with channels last, which includes all answers of up to 128
rows and columns together, it treats channels in vectors of up to 16 and rounds those left over in another way."""

FEWEST = 4
"""Channels a chunk has at least: with fewer, torch does not resize with channels last."""


class LazyPrediction(dict[str, Any], ABC):
    """A `Prediction` whose "sem_seg" (K, height, width) is made anew whenever it is asked for.

    Its items are what the scores are made of, so that an engine can move and convert them as those of any dict.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """(K, height, width) of "sem_seg"."""

    @abstractmethod
    def scores(self, classes: slice) -> Tensor:
        """The score maps of some classes, (k, height, width).

        Other parts than those that `ScoreMaps` reads may be rounded otherwise in their last bit.
        """

    def __missing__(self, key: str) -> Tensor:
        if key != "sem_seg":
            raise KeyError(key)
        return self.scores(slice(None))

    def __contains__(self, key: object) -> bool:
        return key == "sem_seg" or super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, "sem_seg" among them."""
        return self[key] if key == "sem_seg" else super().get(key, default)


class CoarsePrediction(LazyPrediction):
    """Scores of a padded image in low resolution.

    Keys:
        coarse: (1, K, h, w) scores over the padded image.
        padded: height and width of the padded image.
        inside: height and width of the image in its upper left corner.
        size: height and width that the answer must have.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """(K, height, width)."""
        height, width = self["size"]
        return self["coarse"].shape[1], height, width

    def scores(self, classes: slice) -> Tensor:
        """Bilinear to the size of the padded image; without the padding; bilinear to the size asked for, if another."""
        coarse, (height, width) = self["coarse"], self["inside"]
        part = coarse[:, classes]
        if coarse.is_contiguous(memory_format=torch.channels_last):  # as torch resizes this layout in its own way
            part = part.contiguous(memory_format=torch.channels_last)
        whole = F.interpolate(part, size=self["padded"], mode="bilinear", align_corners=False)
        inside = whole[:, :, :height, :width]
        is_done = inside.shape[2:] == self["size"]
        return inside[0] if is_done else F.interpolate(inside, size=self["size"], mode="bilinear")[0]


Answer = Tensor | Prediction | LazyPrediction
"""A prediction, or scores (K, height, width)."""


@dataclass(frozen=True, eq=False)
class ScoreMaps:
    """The score maps of one image in the order of the classes, (height, width) each.

    They are made while they are iterated over, every time, and have no gradients.

    Attributes:
        shape: (K, height, width).
        read: the maps of some classes, (k, height, width).
    """

    shape: tuple[int, ...]
    read: Callable[[slice], Tensor]

    def __iter__(self) -> Iterator[Tensor]:
        for chunk in self.chunks():
            yield from chunk

    def chunks(self) -> Iterator[Tensor]:
        """All maps, a few in each tensor (k, height, width)."""
        for classes in _parts(self.shape):
            chunk = self.read(classes).detach()
            # maps that lie apart, each in one piece, are several times as fast to go through
            yield chunk.flatten(1).contiguous().view(chunk.shape)


def score_maps(answer: Answer) -> ScoreMaps:
    """The maps of a prediction, or of scores (K, height, width)."""
    shape = shape_of(answer)
    if isinstance(answer, LazyPrediction) and len(_parts(shape)) == 1:
        answer = answer["sem_seg"]  # so small that it is made once, however often it is read
    return ScoreMaps(shape, partial(scores_of, answer))


def scores_of(answer: Answer, classes: slice) -> Tensor:
    """The maps of some classes, (k, height, width)."""
    if isinstance(answer, LazyPrediction):
        return answer.scores(classes)
    return (answer if isinstance(answer, Tensor) else answer["sem_seg"])[classes]


def shape_of(answer: Answer) -> tuple[int, ...]:
    """(K, height, width)."""
    if isinstance(answer, LazyPrediction):
        return answer.shape
    return tuple((answer if isinstance(answer, Tensor) else answer["sem_seg"]).shape)


def best(maps: Iterable[Tensor], groups: Sequence[Collection[int]]) -> list[tuple[Tensor, Tensor]]:
    """The highest score among some classes, and the first class that has it.

    Args:
        maps: (H, W) finite scores of each class, gone through once.
        groups: ids of at least one class each; no class is in two groups.

    Returns:
        For each group the scores (H, W) and the ids (H, W) long.
    """
    group_of = {k: number for number, group in enumerate(groups) for k in group}
    found: dict[int, tuple[Tensor, Tensor]] = {}
    for k, scores in enumerate(maps):
        number = group_of.get(k)
        if number is None:
            continue
        if number in found:
            value, label = found[number]
            label.masked_fill_(scores > value, k)
            torch.maximum(value, scores, out=value)
        else:
            found[number] = scores.clone(), torch.full_like(scores, k, dtype=torch.int32)
    return [(value, label.long()) for value, label in (found[number] for number in range(len(groups)))]


def label_map(answer: Answer, *, among: Collection[int] | None = None) -> Tensor:
    """The likeliest class of every pixel, without making all scores first.

    Args:
        answer: a prediction, or finite scores (K, height, width).
        among: ids of the classes that may be chosen, at least one; all where None.

    Returns:
        (height, width) long, the first class where several have the highest score.
    """
    maps = score_maps(answer)
    ((_, label),) = best(maps, [range(maps.shape[0]) if among is None else among])
    return label


def _parts(shape: Sequence[int]) -> list[slice]:
    """Which classes are made together."""
    classes, height, width = shape
    step = max(1, CHUNK_SCORES // (height * width * LANES)) * LANES
    starts = range(0, max(1, classes - FEWEST + 1), step)
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], classes], strict=True)]
