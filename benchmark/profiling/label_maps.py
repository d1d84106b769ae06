"""Time and memory of label maps and counts computed a few classes at a time, compared with all scores at once."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from benchmark.core.lazy_scores import AnyPrediction, LowResPrediction, compute_label_map
from benchmark.core.types import get_ignore_label
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts
from benchmark.profiling.process_memory import get_memory_mb, get_peak_memory_mb

STRIDE = 4
"""Stride of the network's scores in pixels."""


@dataclass(frozen=True)
class Case:
    """Size of an image and of its vocabulary.

    Attributes:
        classes: Number of classes.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """

    classes: int
    height: int
    width: int

    def draw_prediction(self) -> LowResPrediction:
        """Draw random scores (1, K, ceil(H / STRIDE), ceil(W / STRIDE)) for a prediction (K, H, W)."""
        height, width = -(-self.height // STRIDE), -(-self.width // STRIDE)
        generator = torch.Generator().manual_seed(0)
        return LowResPrediction(
            low_res=torch.randn(1, self.classes, height, width, generator=generator),
            padded_size=(height * STRIDE, width * STRIDE),
            image_size=(self.height, self.width),
            output_size=(self.height, self.width),
        )

    def draw_target(self) -> Tensor:
        """Draw random labels (H, W), some of them ignored."""
        generator = torch.Generator().manual_seed(1)
        labels = torch.randint(0, self.classes + 1, (self.height, self.width), generator=generator)
        return labels.masked_fill(labels == self.classes, get_ignore_label(self.classes))


CASES = (Case(171, 512, 512), Case(847, 512, 683))
"""Sizes of COCO-Stuff and of the full ADE20K."""


@dataclass(frozen=True)
class ChunkingComparison:
    """Cost of the same result from all scores at once and from a few classes at a time.

    Attributes:
        whole_ms: CPU time of each round with all scores at once.
        chunked_ms: CPU time of each round with a few classes at a time.
        whole_mb: Additional peak memory of a process with all scores at once.
        chunked_mb: Additional peak memory of a process with a few classes at a time.
        is_identical: Whether both results are identical.
    """

    whole_ms: tuple[float, ...]
    chunked_ms: tuple[float, ...]
    whole_mb: float
    chunked_mb: float
    is_identical: bool

    @property
    def times_as_fast(self) -> float:
        """Median over the rounds of whole_ms / chunked_ms; both are measured alternately."""
        return median(whole / chunked for whole, chunked in zip(self.whole_ms, self.chunked_ms, strict=True))

    @property
    def times_less_memory(self) -> float:
        """Ratio of whole_mb to chunked_mb."""
        return self.whole_mb / self.chunked_mb


def _compute_label_map(prediction: AnyPrediction, case: Case) -> Tensor:
    return prediction.argmax(dim=0) if isinstance(prediction, Tensor) else compute_label_map(prediction)


def _compute_counts(prediction: AnyPrediction, case: Case) -> Counts:
    counter = Counter([str(k) for k in range(case.classes)], [k % 4 > 0 for k in range(case.classes)])
    counter.update(prediction, case.draw_target(), image_id="")
    return counter.compute()


TASKS: dict[str, Callable[[AnyPrediction, Case], Tensor | Counts]] = {
    "label map": _compute_label_map,
    "counts": _compute_counts,
}
"""Functions that compute a result from scores (K, H, W): the most probable class (H, W), and the counts of a run."""


def compare_chunking(task: str, case: Case, *, rounds: int) -> ChunkingComparison:
    """Measure the time of both alternately in this process, and the memory of each in a process of its own.

    The time is CPU time, which other work on the machine disturbs least; use a single thread.

    Args:
        task: Key of `TASKS`.
        case: Size of the image and of its vocabulary.
        rounds: Number of timed rounds, after one for warm-up.
    """
    compute, prediction = TASKS[task], case.draw_prediction()
    whole, chunked = compute(prediction["sem_seg"], case), compute(prediction, case)
    times = [
        (_time_ms(lambda: compute(prediction["sem_seg"], case)), _time_ms(lambda: compute(prediction, case)))
        for _ in range(rounds)
    ]
    whole_ms, chunked_ms = zip(*times, strict=True)
    whole_mb, chunked_mb = (_measure_in_new_process(task, case, is_whole=is_whole) for is_whole in (True, False))
    return ChunkingComparison(whole_ms, chunked_ms, whole_mb, chunked_mb, is_identical=_is_identical(whole, chunked))


def _is_identical(a: Tensor | Counts, b: Tensor | Counts) -> bool:
    return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a == b


def _time_ms(action: Callable[[], object]) -> float:
    begin = time.process_time()
    action()
    return 1000 * (time.process_time() - begin)


def _measure_in_new_process(task: str, case: Case, *, is_whole: bool) -> float:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure_added_mb, task, case, is_whole=is_whole).result()


def _measure_added_mb(task: str, case: Case, *, is_whole: bool) -> float:
    """Return the peak memory of the task beyond the low-resolution scores and everything loaded before."""
    compute, prediction = TASKS[task], case.draw_prediction()
    small = Case(case.classes, 8, 8)
    compute(small.draw_prediction(), small)  # loads libraries
    before = get_memory_mb()
    compute(prediction["sem_seg"] if is_whole else prediction, case)
    return get_peak_memory_mb() - before
