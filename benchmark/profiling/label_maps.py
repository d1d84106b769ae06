"""Time and memory of label maps and counts, compared with the usual way: all scores first, and argmax over them.

The usual way is that of Detectron2's `SemSegEvaluator`. `count_all_scores` stands in for it and does only what counts
need: the evaluator also encodes the mask of every class and, for up to 254 classes, erodes label maps, see
`benchmark.d2.evaluator_speed`.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.lazy_scores import LowResPrediction, compute_label_map
from benchmark.core.types import get_ignore_label
from benchmark.evaluation.counter import Counter
from benchmark.profiling.process_memory import get_memory_mb, get_peak_memory_mb, reset_peak_memory

STRIDE = 4
"""Stride of the network's scores in pixels."""
PRESENT = 8
"""Classes that stand out."""
WARM_UP_SIDE = 200
"""Side of an image of many classes that is computed a few classes at a time."""

Labels = NDArray[np.integer]
"""(H, W) classes, or (K, K) pixels by class of the target and of the prediction."""


@dataclass(frozen=True)
class Case:
    """Scores of an image.

    Attributes:
        classes: Number of classes.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        contrast: Scores by which a few classes stand out from the noise of the others, which has a deviation of 1.
            With 0 every class may be the best one everywhere, so that none can be left out.
        is_resized: Whether the target is larger than the image, so that scores are resized twice.
    """

    classes: int
    height: int
    width: int
    contrast: float = 0.0
    is_resized: bool = False

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the prediction."""
        return (self.height * 9 // 8, self.width * 9 // 8) if self.is_resized else (self.height, self.width)

    def draw_prediction(self) -> LowResPrediction:
        """Draw scores (1, K, ceil(H / STRIDE), ceil(W / STRIDE)) for a prediction of the output size."""
        height, width = -(-self.height // STRIDE), -(-self.width // STRIDE)
        generator = torch.Generator().manual_seed(0)
        low_res = torch.randn(1, self.classes, height, width, generator=generator)
        low_res[:, :: max(1, self.classes // PRESENT)] += self.contrast
        return LowResPrediction(
            low_res=low_res,
            padded_size=(height * STRIDE, width * STRIDE),
            image_size=(self.height, self.width),
            output_size=self.output_size,
        )

    def draw_target(self) -> Tensor:
        """Draw random labels of the output size, some of them ignored."""
        labels = torch.randint(0, self.classes + 1, self.output_size, generator=torch.Generator().manual_seed(1))
        return labels.masked_fill(labels == self.classes, get_ignore_label(self.classes))


SIZES = ((171, 512, 512), (847, 512, 683))
"""Classes, height and width: those of COCO-Stuff and of the full ADE20K."""
KINDS = ((0.0, False), (5.0, False), (20.0, False), (0.0, True))
"""Contrasts, and whether scores are resized twice; the last one is the worst case."""
CASES = tuple(Case(*size, contrast, is_resized) for size in SIZES for contrast, is_resized in KINDS)


def label_all_scores(prediction: LowResPrediction, target: Tensor) -> Labels:
    """Compute the label map (H, W) from all scores."""
    return np.asarray(prediction["sem_seg"].argmax(dim=0).numpy())


def count_all_scores(prediction: LowResPrediction, target: Tensor) -> Labels:
    """Count pixels (K, K) by target and prediction from all scores, in the steps of Detectron2's evaluator."""
    classes = prediction.shape[0]
    predicted = label_all_scores(prediction, target).astype(int)
    labels = target.numpy().astype(int)
    labels[labels == get_ignore_label(classes)] = classes
    pairs = np.bincount((classes + 1) * predicted.reshape(-1) + labels.reshape(-1), minlength=(classes + 1) ** 2)
    return pairs.reshape(classes + 1, classes + 1)[:classes, :classes].T


def _compute_labels(prediction: LowResPrediction, target: Tensor) -> Labels:
    return compute_label_map(prediction).numpy()


def _compute_counts(prediction: LowResPrediction, target: Tensor) -> Labels:
    return _count(prediction, target, is_swept=False)


def _compute_sweep(prediction: LowResPrediction, target: Tensor) -> Labels:
    return _count(prediction, target, is_swept=True)


def _count(prediction: LowResPrediction, target: Tensor, *, is_swept: bool) -> Labels:
    """Count as runs do, with every fourth class unseen if gammas are swept; there is no sweep without unseen ones."""
    classes = range(prediction.shape[0])
    counter = Counter([str(k) for k in classes], [not is_swept or k % 4 > 0 for k in classes])
    counter.update(prediction, target, image_id="")
    return counter.compute().confusion.toarray()


Compute = Callable[[LowResPrediction, Tensor], Labels]


@dataclass(frozen=True)
class Task:
    """A result of a prediction and its target (H, W).

    Attributes:
        whole: Function that computes all scores first.
        chunked: Function that computes the result a few classes at a time.
    """

    whole: Compute
    chunked: Compute


TASKS = {
    "label map": Task(label_all_scores, _compute_labels),
    "counts": Task(count_all_scores, _compute_counts),
    "counts, gamma sweep": Task(count_all_scores, _compute_sweep),
}


@dataclass(frozen=True)
class ChunkingComparison:
    """Time of the same result from all scores first and from a few classes at a time.

    Attributes:
        whole_ms: CPU time of each round with all scores first.
        chunked_ms: CPU time of each round with a few classes at a time.
        is_identical: Whether both results are identical.
    """

    whole_ms: tuple[float, ...]
    chunked_ms: tuple[float, ...]
    is_identical: bool

    @property
    def times_as_fast(self) -> float:
        """Median over the rounds of whole_ms / chunked_ms; both are measured alternately."""
        return median(whole / chunked for whole, chunked in zip(self.whole_ms, self.chunked_ms, strict=True))


def compare_chunking(task: Task, case: Case, *, rounds: int) -> ChunkingComparison:
    """Measure both alternately in this process; the time is CPU time, which other work disturbs least.

    Args:
        task: Result to compute; use a single thread.
        case: Scores.
        rounds: Number of timed rounds, after one for warm-up.
    """
    prediction, target = case.draw_prediction(), case.draw_target()
    whole, chunked = task.whole(prediction, target), task.chunked(prediction, target)
    times = [
        tuple(_time_ms(compute, prediction, target) for compute in (task.whole, task.chunked)) for _ in range(rounds)
    ]
    whole_ms, chunked_ms = zip(*times, strict=True)
    return ChunkingComparison(whole_ms, chunked_ms, np.array_equal(whole, chunked))


def measure_memory_mb(task: str, case: Case) -> tuple[float, float]:
    """Return the peak memory of both, in processes of their own, beyond the network's own scores and the libraries.

    Args:
        task: Key of `TASKS`.
        case: Scores.
    """
    whole, chunked = (_measure_in_new_process(task, case, is_whole=is_whole) for is_whole in (True, False))
    return whole, chunked


def _time_ms(compute: Compute, *arguments: Any) -> float:
    begin = time.process_time()
    compute(*arguments)
    return 1000 * (time.process_time() - begin)


def _measure_in_new_process(task: str, case: Case, *, is_whole: bool) -> float:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure_added_mb, task, case, is_whole=is_whole).result()


def _measure_added_mb(task: str, case: Case, *, is_whole: bool) -> float:
    compute = TASKS[task].whole if is_whole else TASKS[task].chunked
    prediction, target = case.draw_prediction(), case.draw_target()
    small = Case(case.classes, WARM_UP_SIDE, WARM_UP_SIDE, is_resized=case.is_resized)
    compute(small.draw_prediction(), small.draw_target())  # loads libraries and compiled loops
    reset_peak_memory()
    before = get_memory_mb()
    compute(prediction, target)
    return get_peak_memory_mb() - before


def find_worst(cases: Sequence[Case]) -> list[Case]:
    """Return the cases whose scores are resized twice, one for each size."""
    return [case for case in cases if case.is_resized]
