"""Best seen class, best unseen class and margin of every pixel: all that the counts of an image are made of."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmark.core.best_classes import BestClasses, find_best_classes
from benchmark.core.compiled_scores import CompiledScores
from benchmark.core.full_size_scores import FullSizeScores, open_full_size_scores
from benchmark.core.lazy_scores import (
    AnyPrediction,
    ScoreMaps,
    get_score_maps,
    get_shape,
    open_compiled_scores,
)
from benchmark.evaluation.counts import GAMMAS
from benchmark.evaluation.margin_bins import ZERO, Labels, find_bins, sum_softmax
from benchmark.evaluation.uncertain_pixels import UncertainPixels

MAX_DOUBTFUL_SHARE = 0.1
"""Share of the pixels above which all sums are computed by torch."""


class LogitsError(ValueError):
    """The logits of a prediction are not such that pixels can be counted; target and image are not at fault."""


class Candidates(NamedTuple):
    """Candidates for the class of every pixel.

    Attributes:
        classes: (2, H, W) best seen and best unseen class.
        bins: (H, W) margin bin: the number of `GAMMAS` at which the seen class still wins.
        uncertain: Pixels that may have another bin, on the same side of gamma 0; None if there are none.
    """

    classes: Labels
    bins: Labels
    uncertain: UncertainPixels | None = None

    def settle(self) -> Candidates:
        """Return candidates without uncertain pixels."""
        if self.uncertain is None:
            return self
        bins = self.bins.copy()
        bins.ravel()[self.uncertain.pixels] = self.uncertain.find_bins()
        return Candidates(self.classes, bins)

    def choose(self, threshold: int) -> Labels:
        """Return the classes (H, W) at the gamma with this index."""
        labels: Labels = np.where(self.bins > threshold, self.classes[0], self.classes[1])
        return labels


def find_candidates(prediction: AnyPrediction, groups: Sequence[Collection[int]], *, image_id: str) -> Candidates:
    """Find the candidates of all pixels.

    Args:
        prediction: Prediction, or its logits (K, H, W).
        groups: Seen and unseen classes; neither is empty.
        image_id: Name of the image, for error messages.

    Raises:
        LogitsError: Logits are not floats, or some are not finite.
    """
    compiled = open_compiled_scores(prediction) or open_full_size_scores(prediction)
    candidates = None if compiled is None else _find_compiled(compiled, groups)
    if candidates is not None:
        return candidates
    maps = get_score_maps(prediction)
    best = _find_best_of_finite(maps, groups, image_id=image_id)
    total = sum_softmax(maps.chunks(), torch.maximum(*best.scores))
    logits, classes, sums = (part.cpu().numpy() for part in (best.scores.to(total.dtype), best.labels, total))
    return Candidates(classes, find_bins(logits, classes, sums))


def find_labels(prediction: AnyPrediction, *, image_id: str) -> Labels:
    """Return the most likely class (H, W) of every pixel.

    Raises:
        LogitsError: Logits are not floats, or some are not finite.
    """
    groups = [range(get_shape(prediction)[0])]
    compiled = open_compiled_scores(prediction) or open_full_size_scores(prediction)
    best = None if compiled is None else compiled.find_best(groups)
    if best is None:
        found = _find_best_of_finite(get_score_maps(prediction), groups, image_id=image_id).labels.cpu().numpy()
    else:
        found = best[1]
    labels: Labels = found[0]
    return labels


def _find_compiled(scores: CompiledScores | FullSizeScores, groups: Sequence[Collection[int]]) -> Candidates | None:
    """Find the candidates by compiled loops; None if a score is not finite or the bins of many are not certain."""
    from benchmark.evaluation.margin_kernels import bin_margins  # not above: it needs Numba

    found = scores.find_best_and_total(groups)
    if found is None:
        return None
    best, label, total, error = found
    logits, classes = best.reshape(2, -1), label.reshape(2, -1)  # (2, H W) each
    bins, doubtful = bin_margins(logits, classes, total.ravel(), gammas=GAMMAS, zero=ZERO, error=error)
    if len(doubtful) > MAX_DOUBTFUL_SHARE * len(bins):
        return None
    candidates = Candidates(label, bins.reshape(total.shape))
    if not len(doubtful):
        return candidates
    columns = scores.read_pixels(*np.divmod(doubtful, total.shape[1]))  # (K, D)
    uncertain = UncertainPixels(doubtful, columns, logits[:, doubtful], classes[:, doubtful], bins[doubtful])
    return candidates._replace(uncertain=uncertain)


def _find_best_of_finite(maps: ScoreMaps, groups: Sequence[Collection[int]], *, image_id: str) -> BestClasses:
    """Find the best classes of groups that cover all classes.

    Raises:
        LogitsError: Logits are not floats, or some are not finite.
    """
    ends: list[Tensor] = []

    def read_chunks() -> Iterator[Tensor]:
        for chunk in maps.chunks():  # (k, H, W)
            if not chunk.is_floating_point():
                raise LogitsError(f"logits of image {image_id!r} are {chunk.dtype}, expected floats, not a label map")
            ends.extend(chunk.aminmax())
            yield chunk

    best = find_best_classes(read_chunks(), groups)
    if not all(map(math.isfinite, torch.stack(ends).tolist())):  # read once, as reading waits for the device
        bad = sum(int((~torch.isfinite(chunk)).sum()) for chunk in maps.chunks())
        raise LogitsError(
            f"{bad} of {math.prod(maps.shape)} logits of image {image_id!r} are not finite: "
            "mask classes with a large negative number, and look for a division by zero or an overflow"
        )
    return best
