"""Speed and memory of a row on its device: training steps, a bare forward and backward pass, and evaluated images.

Batches are read before they are timed. The device is waited for before and after a series of steps, not in between, so
that steps follow each other as in a run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import cast

import torch

from benchmark.core.method import Method
from benchmark.core.types import Batch
from benchmark.data.loader import TrainLoader
from benchmark.engine.base import Engine, Progress
from benchmark.engine.device import move_to_device
from benchmark.engine.optimizer import is_trained
from benchmark.profiling.cost import count_training_flops
from benchmark.profiling.device_clock import read_clock_s
from benchmark.profiling.evaluation_overhead import measure_evaluation_overhead
from benchmark.profiling.pace import Workload, cast_forward
from benchmark.profiling.peak_memory import watch_peak_memory

WARM_UP_STEPS = 3
"""Steps or passes before those that are timed."""
SERIES_S = 8.0
"""Approximate seconds of a series of steps or passes."""
MAX_STEPS = 40
"""Most steps or passes of a series."""
DIFFERENT_BATCHES = 2
"""Batches in memory, which the steps repeat."""


@dataclass(frozen=True)
class DeviceSpeed:
    """What was measured of a row; None is not measured.

    Attributes:
        batch_size: Images per training step.
        step_ms: Training step of the engine.
        bare_ms: Forward and backward pass of the row's bare parts.
        tflops: Operations of the training step per second, in 10^12, without optimizer and element-wise operations.
        train_peak_mb: Peak memory of training: allocated on a GPU, resident on a CPU.
        images_per_s: Evaluated images per second, reading included.
        eval_ratio: Time of an evaluated image over that of its forward pass.
        eval_peak_mb: Peak memory of evaluation.
        note: What prevented the other figures.
    """

    batch_size: int = 0
    step_ms: float | None = None
    bare_ms: float | None = None
    tflops: float | None = None
    train_peak_mb: float | None = None
    images_per_s: float | None = None
    eval_ratio: float | None = None
    eval_peak_mb: float | None = None
    note: str = ""


def measure_device_speed(
    work: Workload, engine: Engine, *, bare_parts: Sequence[str], report: Callable[[DeviceSpeed], None]
) -> None:
    """Measure a row, and report all figures so far after each measurement.

    Args:
        work: What is measured; the method is trained by it.
        engine: Engine of the work's budget.
        bare_parts: Names of the method's modules that a bare pass calls one after the other; may be empty.
        report: Function that is called with the figures so far.
    """
    method, budget = work.method, work.budget
    speed = DeviceSpeed(batch_size=budget.batch_size)
    method.to(engine.device)
    if is_trained(method, budget):
        try:
            for latest in _measure_training(work, engine, speed, bare_parts):
                speed = latest
                report(speed)
        except torch.OutOfMemoryError:  # of a GPU; its evaluation may still fit
            speed = replace(speed, note=f"out of memory in training with batches of {budget.batch_size}")
            method.zero_grad(set_to_none=True)
    images_per_s, peak_mb = _measure_images(work, engine)
    speed = replace(speed, images_per_s=images_per_s, eval_peak_mb=peak_mb)
    report(speed)
    overhead = measure_evaluation_overhead(
        method,
        work.eval_loader,
        work.split,
        engine=engine,
        precision=budget.precision,
        gamma=work.gamma,
        images=len(work.eval_loader),
    )
    report(replace(speed, eval_ratio=overhead.ratio))


def _measure_training(
    work: Workload, engine: Engine, speed: DeviceSpeed, bare_parts: Sequence[str]
) -> Iterator[DeviceSpeed]:
    """Yield the figures after each measurement of the training."""
    method, batch_size = work.method, work.budget.batch_size
    method.set_classes(work.split.seen)
    batches = list(work.make_train_loader(batch_size).batches(0, DIFFERENT_BATCHES))
    step_s, peak_mb = _measure_steps(work, engine, batches)
    speed = replace(speed, step_ms=1000 * step_s, train_peak_mb=peak_mb)
    yield speed
    if bare_parts:
        speed = replace(speed, bare_ms=1000 * _measure_bare(work, engine, batches[0], bare_parts))
        yield speed
    with cast_forward(work.budget.precision, engine.device):
        flops = count_training_flops(method, move_to_device(batches[0][:2], engine.device))
    method.zero_grad(set_to_none=True)
    yield replace(speed, tflops=flops * batch_size / step_s / 1e12)


class _RepeatedBatches:
    """Training batches in memory, repeated."""

    def __init__(self, content: Sequence[Batch]) -> None:
        self._content = content

    def batches(self, start: int, stop: int, *, slots: slice = slice(None)) -> Iterator[Batch]:
        """Yield the batches of iterations `start` to `stop` - 1."""
        for iteration in range(start, stop):
            yield self._content[iteration % len(self._content)][slots]


class _SeriesClock:
    """Observer that notes when the first and the last step or image have ended, and waits for the device only then.

    Args:
        device: Device of the method.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._start_s = self._mean_s = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.done not in (1, progress.total):
            return
        now_s = read_clock_s(self._device)
        if progress.done == 1:
            self._start_s = now_s
        self._mean_s = (now_s - self._start_s) / max(1, progress.total - 1)

    @property
    def mean_s(self) -> float:
        """Mean seconds of a step or image after the first."""
        return self._mean_s


def _measure_steps(work: Workload, engine: Engine, batches: Sequence[Batch]) -> tuple[float, float]:
    """Return the seconds of a training step, and the peak memory in MB."""
    clock = _train(work, engine, batches, steps=WARM_UP_STEPS)
    steps = 1 + max(2, min(MAX_STEPS, int(SERIES_S / clock.mean_s)))
    with watch_peak_memory(engine.device) as peak:
        clock = _train(work, engine, batches, steps=steps)
    return clock.mean_s, peak.total_mb


def _train(work: Workload, engine: Engine, batches: Sequence[Batch], *, steps: int) -> _SeriesClock:
    clock = _SeriesClock(engine.device)
    with tempfile.TemporaryDirectory() as folder:
        engine.fit(
            work.method,
            cast(TrainLoader, _RepeatedBatches(batches)),  # engines only use the method that it has
            budget=work.budget.model_copy(update={"iterations": steps, "init_images": 0}),
            seed=0,
            checkpoint=Path(folder) / "checkpoint.pt",
            observe=clock,
        )
    return clock


def _measure_bare(work: Workload, engine: Engine, batch: Batch, parts: Sequence[str]) -> float:
    """Return the seconds of a forward and backward pass of modules that follow each other."""
    method, device = work.method, engine.device
    modules = [attrgetter(name)(_unwrap(method)) for name in parts]
    images = torch.stack([sample["image"] for sample in move_to_device(batch, device)])  # (B, 3, H, W)
    method.train()

    def run_pass() -> None:
        method.zero_grad(set_to_none=True)
        values = images
        with cast_forward(work.budget.precision, device):
            for module in modules:
                values = module(values)
        values.float().mean().backward()

    pass_s = _time_series(run_pass, device, repeats=WARM_UP_STEPS)
    pass_s = _time_series(run_pass, device, repeats=max(2, min(MAX_STEPS, int(SERIES_S / pass_s))))
    method.zero_grad(set_to_none=True)
    return pass_s


def _unwrap(method: Method) -> Method:
    """Return the method inside of wrappers such as a sliding window."""
    inner = getattr(method, "method", None)
    return _unwrap(inner) if isinstance(inner, Method) else method


def _time_series(action: Callable[[], None], device: torch.device, *, repeats: int) -> float:
    """Return the mean seconds of an action."""
    begin_s = read_clock_s(device)
    for _ in range(repeats):
        action()
    return (read_clock_s(device) - begin_s) / repeats


def _measure_images(work: Workload, engine: Engine) -> tuple[float, float]:
    """Return the evaluated images per second, and the peak memory in MB."""
    method: Method = work.method
    method.set_classes(work.split.classes)
    clock = _SeriesClock(engine.device)
    with watch_peak_memory(engine.device) as peak:
        engine.evaluate(
            method,
            work.eval_loader,
            classes=work.split.classes,
            seen=work.split.is_seen,
            gamma=work.gamma,
            observe=clock,
        )
    return 1 / clock.mean_s, peak.total_mb
