"""Best seen class, best unseen class and margin of every pixel: all that the counts of an image are made of."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.best_classes import find_best_classes
from benchmark.core.compiled_scores import CompiledScores
from benchmark.core.lazy_scores import (
    AnyPrediction,
    ScoreMaps,
    compute_label_map,
    get_score_maps,
    open_compiled_scores,
)
from benchmark.evaluation.counts import GAMMAS, Integers

ZERO = int(np.flatnonzero(GAMMAS == 0)[0])
MAX_DOUBTFUL_SHARE = 0.1
"""Share of the pixels above which all sums are computed by torch."""


class LogitsError(ValueError):
    """The logits of a prediction are not such that pixels can be counted; target and image are not at fault."""


class Candidates(NamedTuple):
    """Candidates for the class of P pixels.

    Attributes:
        seen: (P,) best seen class.
        unseen: (P,) best unseen class.
        bins: (P,) margin bin: the number of `GAMMAS` at which the seen class still wins.
    """

    seen: Integers
    unseen: Integers
    bins: Integers

    def choose(self, threshold: int) -> Integers:
        """Return the classes (P,) at the gamma with this index."""
        return np.where(self.bins > threshold, self.seen, self.unseen)


def find_candidates(
    prediction: AnyPrediction, groups: Sequence[Collection[int]], is_labeled: NDArray[np.bool_], *, image_id: str
) -> Candidates:
    """Find the candidates of the P labeled pixels.

    Args:
        prediction: Prediction, or its logits (K, H, W).
        groups: Seen and unseen classes; neither is empty.
        is_labeled: (H, W) whether the pixel has a label.
        image_id: Name of the image, for error messages.

    Raises:
        LogitsError: Logits are not floats, or some are not finite.
    """
    compiled = open_compiled_scores(prediction)
    candidates = None if compiled is None else _find_compiled(compiled, groups, is_labeled)
    if candidates is not None:
        return candidates
    maps = get_score_maps(prediction)
    return _bin_candidates(maps, find_best_classes(_check_finite(maps, image_id=image_id), groups), is_labeled)


def find_labels(prediction: AnyPrediction, *, image_id: str) -> Integers:
    """Return the most likely class (H, W) of every pixel.

    Raises:
        LogitsError: Logits are not floats, or some are not finite.
    """
    if open_compiled_scores(prediction) is None:
        maps = get_score_maps(prediction)
        ((_, label),) = find_best_classes(_check_finite(maps, image_id=image_id), [range(maps.shape[0])])
        return _to_numpy(label)
    return _to_numpy(compute_label_map(prediction))


def _find_compiled(
    scores: CompiledScores, groups: Sequence[Collection[int]], is_labeled: NDArray[np.bool_]
) -> Candidates | None:
    """Find the candidates by compiled loops; None if the bins of many pixels are not certain."""
    from benchmark.evaluation.margin_kernels import bin_margins  # not above: it needs Numba

    best, label, total, error = scores.find_best_and_total(groups)
    logits, classes = (np.stack([part[is_labeled] for part in maps]) for maps in (best, label))  # (2, P) each
    bins, doubtful = bin_margins(logits, classes, total[is_labeled], gammas=GAMMAS, zero=ZERO, error=error)
    if len(doubtful) > MAX_DOUBTFUL_SHARE * len(bins):
        return None
    if len(doubtful):
        # The sums that torch would have computed, in float32 and in the order of the classes
        rows, columns = (places[doubtful] for places in np.nonzero(is_labeled))
        maps = torch.from_numpy(scores.read_pixels(rows, columns))  # (K, D)
        seen, unseen = (torch.from_numpy(values) for values in logits[:, doubtful])
        seen_wins = (seen > unseen).numpy() | (logits[0] == logits[1])[doubtful] & (classes[0] < classes[1])[doubtful]
        bins[doubtful] = _find_bins(_compute_margin([maps], seen, unseen), seen_wins)
    return Candidates(classes[0].astype(np.int64), classes[1].astype(np.int64), bins)


def _to_numpy(tensor: Tensor) -> NDArray[np.int64]:
    """Return the values of a tensor on the CPU, in the type they have."""
    array: NDArray[np.int64] = tensor.cpu().numpy()
    return array


def _check_finite(maps: ScoreMaps, *, image_id: str) -> Iterator[Tensor]:
    """Yield the maps of all classes, a few in each tensor (k, H, W).

    Raises:
        LogitsError: Logits are not floats, or, after the last map, some are not finite.
    """
    ends: list[Tensor] = []
    for chunk in maps.chunks():  # (k, H, W)
        if not chunk.is_floating_point():
            raise LogitsError(f"logits of image {image_id!r} are {chunk.dtype}, expected floats, not a label map")
        ends += chunk.aminmax()
        yield chunk
    if not torch.isfinite(torch.stack(ends)).all():  # read once, as reading waits for the device
        bad = sum(int((~torch.isfinite(chunk)).sum()) for chunk in maps.chunks())
        raise LogitsError(
            f"{bad} of {math.prod(maps.shape)} logits of image {image_id!r} are not finite: "
            "mask classes with a large negative number, and look for a division by zero or an overflow"
        )


def _bin_candidates(
    maps: ScoreMaps, highest: Sequence[tuple[Tensor, Tensor]], is_labeled: NDArray[np.bool_]
) -> Candidates:
    """Return the candidates of the P labeled pixels.

    Args:
        maps: Logits of the K classes.
        highest: Logit and id, (H, W) each, of the best seen and of the best unseen class.
        is_labeled: (H, W) whether the pixel has a label.
    """
    (seen_logit, seen), (unseen_logit, unseen) = highest

    # Whether the argmax is a seen class, (H, W); of equal logits the first class wins
    seen_wins = (seen_logit > unseen_logit) | ((seen_logit == unseen_logit) & (seen < unseen))

    # Bin of the difference of probabilities, (P,)
    bins = _find_bins(_compute_margin(maps.chunks(), seen_logit, unseen_logit), _to_numpy(seen_wins))[is_labeled]
    return Candidates(_to_numpy(seen)[is_labeled], _to_numpy(unseen)[is_labeled], bins)


def _find_bins(margin: Tensor, seen_wins: NDArray[Any]) -> Integers:
    """Return the bin of each margin.

    The sign is that of the logits, so that rounding in the softmax cannot move a pixel across gamma = 0.
    """
    bins = np.searchsorted(GAMMAS, _to_numpy(margin), side="right")
    return np.where(seen_wins, np.maximum(bins, ZERO + 1), np.minimum(bins, ZERO))


def _compute_margin(chunks: Iterable[Tensor], seen_logit: Tensor, unseen_logit: Tensor) -> Tensor:
    """Return p(best seen class) - p(best unseen class), where p is the softmax of the logits over all classes.

    Args:
        chunks: (k, H, W) logits of consecutive classes, all K classes together.
        seen_logit: (H, W) highest logit of a seen class.
        unseen_logit: (H, W) highest logit of an unseen class.

    Returns:
        (H, W) float64 in -1 … 1, on the CPU.
    """
    dtype = torch.promote_types(seen_logit.dtype, torch.float32)
    highest = torch.maximum(seen_logit, unseen_logit).to(dtype)  # (H, W), subtracted so that exp cannot overflow

    # Denominator of the softmax
    total = torch.zeros_like(highest)
    for chunk in chunks:
        if chunk.device.type == "cpu":  # one class at a time, so that the bits do not depend on the chunks
            for logits in chunk:
                total += (logits.to(dtype) - highest).exp_()
        else:  # few operations, as starting one takes longer than the operation
            total += (chunk.to(dtype) - highest).exp_().sum(dim=0)

    # float64 on the CPU only: not every device has it
    seen, unseen = ((logit.to(dtype) - highest).cpu().double().exp() for logit in (seen_logit, unseen_logit))
    return (seen - unseen) / total.cpu().double()
