"""What it saves to go through score maps as they are made: time and memory, beside making all of them first."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from benchmark.core.lazy_scores import Answer, CoarsePrediction, label_map
from benchmark.core.types import ignore_label
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts
from benchmark.profiling.process_memory import memory_mb, peak_memory_mb

STRIDE = 4
"""Pixels between scores of the network."""


@dataclass(frozen=True)
class Case:
    """An image and its vocabulary.

    Attributes:
        classes: how many are scored.
        height, width: of the image in pixels.
    """

    classes: int
    height: int
    width: int

    def prediction(self) -> CoarsePrediction:
        """Scores drawn at random, for one pixel in `STRIDE` of each row and column."""
        height, width = -(-self.height // STRIDE), -(-self.width // STRIDE)
        draw = torch.Generator().manual_seed(0)
        return CoarsePrediction(
            coarse=torch.randn(1, self.classes, height, width, generator=draw),
            padded=(height * STRIDE, width * STRIDE),
            inside=(self.height, self.width),
            size=(self.height, self.width),
        )

    def truth(self) -> Tensor:
        """(height, width) labels drawn at random, some of them to be ignored."""
        draw = torch.Generator().manual_seed(1)
        labels = torch.randint(0, self.classes + 1, (self.height, self.width), generator=draw)
        return labels.masked_fill(labels == self.classes, ignore_label(self.classes))


CASES = (Case(171, 512, 512), Case(847, 512, 683))
"""As COCO-Stuff and the full ADE20K have them."""


@dataclass(frozen=True)
class Speed:
    """Both ways to a result.

    Attributes:
        whole_ms: processor time of each round where all scores are made first.
        chunked_ms: where they are made a few classes at a time.
        whole_mb: what a process needs more than before, at its peak, to do the first.
        chunked_mb: the second.
        is_identical: whether both results are the same.
    """

    whole_ms: tuple[float, ...]
    chunked_ms: tuple[float, ...]
    whole_mb: float
    chunked_mb: float
    is_identical: bool

    @property
    def times_as_fast(self) -> float:
        """Median over the rounds, in which both are measured in turn."""
        return median(whole / chunked for whole, chunked in zip(self.whole_ms, self.chunked_ms, strict=True))

    @property
    def times_less_memory(self) -> float:
        """How much more the first way needs."""
        return self.whole_mb / self.chunked_mb


def _label_map(answer: Answer, case: Case) -> Tensor:
    return answer.argmax(dim=0) if isinstance(answer, Tensor) else label_map(answer)


def _counts(answer: Answer, case: Case) -> Counts:
    counter = Counter([str(k) for k in range(case.classes)], [k % 4 > 0 for k in range(case.classes)])
    counter.update(answer, case.truth(), image_id="")
    return counter.counts()


TASKS: dict[str, Callable[[Answer, Case], Tensor | Counts]] = {"label map": _label_map, "counts": _counts}
"""What is made of scores: the likeliest class of every pixel, as plain torch does it; a run's counts."""


def measure(task: str, case: Case, *, rounds: int) -> Speed:
    """Time both ways in turn, in this process; the memory of each in a process of its own.

    Time is that of the processor, which other work on the machine disturbs least: ask for it with one thread.

    Args:
        task: of `TASKS`.
        case: what is scored.
        rounds: that are timed, after a first one.
    """
    work, prediction = TASKS[task], case.prediction()
    whole, chunked = work(prediction["sem_seg"], case), work(prediction, case)
    times = [
        (_ms(lambda: work(prediction["sem_seg"], case)), _ms(lambda: work(prediction, case))) for _ in range(rounds)
    ]
    whole_ms, chunked_ms = zip(*times, strict=True)
    whole_mb, chunked_mb = (_in_fresh_process(task, case, is_whole=is_whole) for is_whole in (True, False))
    return Speed(whole_ms, chunked_ms, whole_mb, chunked_mb, is_identical=_is_same(whole, chunked))


def _is_same(one: Tensor | Counts, other: Tensor | Counts) -> bool:
    return torch.equal(one, other) if isinstance(one, Tensor) and isinstance(other, Tensor) else one == other


def _ms(action: Callable[[], object]) -> float:
    begun = time.process_time()
    action()
    return 1000 * (time.process_time() - begun)


def _in_fresh_process(task: str, case: Case, *, is_whole: bool) -> float:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_added_mb, task, case, is_whole=is_whole).result()


def _added_mb(task: str, case: Case, *, is_whole: bool) -> float:
    """What the task needs at its peak beyond the coarse scores and all that was loaded before."""
    work, prediction = TASKS[task], case.prediction()
    small = Case(case.classes, 8, 8)
    work(small.prediction(), small)  # loads what the first call loads
    before = memory_mb()
    work(prediction["sem_seg"] if is_whole else prediction, case)
    return peak_memory_mb() - before
