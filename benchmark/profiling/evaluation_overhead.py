"""Overhead of an evaluation per image: an engine evaluates images that a bare forward pass predicts alternately.

On a CPU with one thread of torch, times are processor times of that thread, which other programs disturb little. Else
they are wall times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import cast

import torch
from torch import Tensor

from benchmark.core.method import Method
from benchmark.core.split import Split
from benchmark.core.types import Sample
from benchmark.data.loader import EvalLoader
from benchmark.engine.base import Engine
from benchmark.engine.device import move_to_device
from benchmark.engine.precision import wrap_precision
from benchmark.profiling.device_clock import read_clock_s

WARM_UP = 2
"""Images of each measurement that are not timed."""


@dataclass(frozen=True)
class EvaluationOverhead:
    """Times per image in milliseconds.

    Attributes:
        bare_ms: A forward pass that ends with the scores of all classes at full size, for each image.
        engine_ms: The evaluation of the same image: forward pass, counts of its pixels and progress.
        read_ms: Reading an image, wall time; part of neither of the others, as an engine does it in another thread.
    """

    bare_ms: tuple[float, ...]
    engine_ms: tuple[float, ...]
    read_ms: float

    @property
    def ratio(self) -> float:
        """Median over the images of the engine's time over that of the forward pass."""
        return median(engine / bare for engine, bare in zip(self.engine_ms, self.bare_ms, strict=True))


def measure_evaluation_overhead(
    method: Method,
    loader: EvalLoader,
    split: Split,
    *,
    engine: Engine,
    precision: str = "32-true",
    gamma: float = 0.0,
    images: int = 40,
) -> EvaluationOverhead:
    """Evaluate images in an engine and by bare forward passes, alternately, and time every image.

    Args:
        method: Method of the split; its vocabulary becomes all classes.
        loader: Images, repeated if there are fewer.
        split: Split of the loader.
        engine: Engine of this precision.
        precision: Precision of the forward passes.
        gamma: Offset that is subtracted from the scores of seen classes.
        images: Number of timed images.
    """
    device = engine.device
    method.to(device).eval()
    method.set_classes(split.classes)
    forward = wrap_precision(method, precision=precision, device=device)

    def predict(sample: Sample) -> Tensor:
        with torch.no_grad():
            scores: Tensor = forward([sample])[0]["sem_seg"]
        return scores

    begin_s = time.perf_counter()
    content = [loader.sample(index) for index in range(min(len(loader), images))]
    read_ms = 1000 * (time.perf_counter() - begin_s) / len(content)
    data = _AlternatingImages(content, predict, device=device, count=images + WARM_UP)
    engine.evaluate(
        method,
        cast(EvalLoader, data),  # engines only use the methods that it has
        classes=split.classes,
        seen=split.is_seen,
        gamma=gamma,
        observe=lambda _: None,
    )
    bare_ms, engine_ms = (
        tuple(1000 * seconds for seconds in times[WARM_UP:]) for times in (data.bare_s, data.engine_s)
    )
    return EvaluationOverhead(bare_ms, engine_ms, read_ms)


class _AlternatingImages:
    """Evaluation images in memory, each of which is predicted by a bare forward pass before the engine gets it.

    Args:
        content: Samples with their targets (H, W), to repeat under new names.
        predict: Bare forward pass of a sample on the device.
        device: Device of the method.
        count: Number of images.

    Attributes:
        bare_s: Seconds of each forward pass.
        engine_s: Seconds that the engine spent with each image.
    """

    def __init__(
        self,
        content: Sequence[tuple[Sample, Tensor]],
        predict: Callable[[Sample], Tensor],
        *,
        device: torch.device,
        count: int,
    ) -> None:
        self._content, self._predict, self._device, self._count = content, predict, device, count
        self._read_clock_s = _choose_clock(device)
        self.bare_s: list[float] = []
        self.engine_s: list[float] = []

    def __len__(self) -> int:
        return self._count

    def images(self, *, first: int = 0, step: int = 1) -> Iterator[tuple[Sample, Tensor]]:
        """Yield samples with their targets."""
        for index in range(first, self._count, step):
            sample, target = self._content[index % len(self._content)]
            moved = move_to_device([sample], self._device)[0]
            begin_s = self._read_clock_s()
            self._predict(moved)
            between_s = self._read_clock_s()
            renamed = sample.copy()
            renamed["image_id"] = str(index)  # a counter counts no image twice
            yield renamed, target
            self.bare_s.append(between_s - begin_s)
            self.engine_s.append(self._read_clock_s() - between_s)


def _choose_clock(device: torch.device) -> Callable[[], float]:
    """Return a clock in seconds: of this thread's processor time if no other thread works for a method."""
    is_alone = device.type == "cpu" and torch.get_num_threads() == 1
    return time.thread_time if is_alone else partial(read_clock_s, device)
