"""Pace of a method in an engine: seconds, memory and operations of a few training passes and evaluated images.

The first pass and the first image of each measurement are warm-up. A pass has as many images as fit into the memory;
its time is scaled to a step by the number of passes, and memory and operations are given per image.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmark.core.budget import Budget
from benchmark.core.method import Method
from benchmark.core.split import Split
from benchmark.core.types import Batch
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.engine.base import Engine, Progress
from benchmark.engine.device import move_to_device
from benchmark.engine.optimizer import is_trained
from benchmark.profiling.cost import count_flops_by_operator
from benchmark.profiling.device_clock import read_clock_s
from benchmark.profiling.peak_memory import MB, SavedTensors, get_free_memory_mb, get_used_memory_mb, watch_peak_memory
from benchmark.store.paces import EvalPace, Flops, TrainPace

SCALAR_BYTES = 4
SAFETY = 1.2
"""Memory that a pass is expected to take, over that of the probe by its number of images."""
USABLE_SHARE = 0.6
"""Share of the free memory that a pass may take if the user gives no limit: others may work on the same machine."""


@dataclass(frozen=True)
class Workload:
    """What is measured.

    Attributes:
        method: Method before its vocabulary is set.
        split: Split of the run.
        budget: Budget of the run.
        make_train_loader: Function that makes the loader of training batches of a size.
        eval_loader: Loader of the images to time and one more.
        gamma: Offset of the protocol that is subtracted from the scores of seen classes.
    """

    method: Method
    split: Split
    budget: Budget
    make_train_loader: Callable[[int], TrainLoader]
    eval_loader: EvalLoader
    gamma: float


def measure_training(
    work: Workload,
    engine: Engine,
    *,
    passes: int,
    memory_mb: float | None,
    observe: Callable[[str], None] = lambda _stage: None,
) -> TrainPace | None:
    """Measure training passes; None if the budget or the method trains nothing.

    Args:
        work: What is measured; the method is trained by it.
        engine: Engine with the precision of the budget and one micro-batch.
        passes: Number of passes to time.
        memory_mb: Memory that the process may take; None for a share of what is free.
        observe: Function that is called with every stage as it begins.
    """
    method, budget = work.method, work.budget
    if not is_trained(method, budget):
        return None
    method.to(engine.device)
    method.set_classes(work.split.seen)
    sizes = list_pass_sizes(budget.batch_size // budget.micro_batches)
    observe(f"memory and operations of a training pass with {sizes[0]} images")
    probe = next(work.make_train_loader(sizes[0]).batches(0, 1))
    saved_mb, peak_mb, flops = _probe_pass(method, probe, budget.precision, engine.device)
    free_mb = _find_free_mb(method, engine.device, memory_mb)
    images = choose_size(sizes, image_mb=max(saved_mb, peak_mb), free_mb=free_mb)
    short = {"iterations": passes + 1, "batch_size": images, "micro_batches": 1, "init_images": 0}
    clock = _Clock(engine.device, observe=observe, what="training pass", total=passes + 1)
    with tempfile.TemporaryDirectory() as folder, watch_peak_memory(engine.device) as peak:
        engine.fit(
            method,
            work.make_train_loader(images),
            budget=budget.model_copy(update=short),
            seed=0,
            checkpoint=Path(folder) / "checkpoint.pt",
            observe=clock,
        )
    pass_s, cpu_s = clock.compute_mean_s()
    return TrainPace(
        images=images,
        passes=passes,
        pass_s=pass_s,
        cpu_s=cpu_s,
        process_mb=peak.total_mb,
        peak_mb=peak_mb,
        saved_mb=saved_mb,
        flops=flops,
    )


def measure_evaluation(
    work: Workload, engine: Engine, *, observe: Callable[[str], None] = lambda _stage: None
) -> EvalPace:
    """Measure the evaluation of all images of the loader but the first.

    Args:
        work: What is measured.
        engine: Engine with the precision of the budget.
        observe: Function that is called with every stage as it begins.
    """
    method = work.method
    observe("operations of an evaluated image")
    method.to(engine.device)
    method.set_classes(work.split.classes)
    method.eval()
    image = move_to_device([work.eval_loader.sample(0)[0]], engine.device)
    with torch.no_grad(), cast_forward(work.budget.precision, engine.device):
        flops = _count(lambda: method(image), images=1)
    classes, seen = work.split.classes, work.split.is_seen
    clock = _Clock(engine.device, observe=observe, what="evaluated image", total=len(work.eval_loader))
    with watch_peak_memory(engine.device) as peak:
        engine.evaluate(method, work.eval_loader, classes=classes, seen=seen, gamma=work.gamma, observe=clock)
    image_s, cpu_s = clock.compute_mean_s()
    return EvalPace(
        images=len(work.eval_loader) - 1,
        image_s=image_s,
        cpu_s=cpu_s,
        process_mb=peak.total_mb,
        peak_mb=peak.added_mb,
        flops=flops,
    )


def list_pass_sizes(images: int) -> list[int]:
    """Return the numbers of images that a pass may have: the divisors of a full one, but 1, for batch norm."""
    return [size for size in range(2, images + 1) if images % size == 0] or [1]


def choose_size(sizes: list[int], *, image_mb: float, free_mb: float) -> int:
    """Return the largest size of a pass that fits into the memory; the smallest, which was tried, if none does."""
    return max((size for size in sizes if size * image_mb * SAFETY <= free_mb), default=sizes[0])


class _Clock:
    """Observer of an engine that notes when each iteration or image has ended, and says which one begins."""

    def __init__(self, device: torch.device, *, observe: Callable[[str], None], what: str, total: int) -> None:
        self._device = device
        self._times_s: list[tuple[float, float]] = []
        self._observe, self._what, self._total = observe, what, total
        self._observe_next()

    def __call__(self, progress: Progress) -> None:
        self._times_s.append((read_clock_s(self._device), time.process_time()))
        self._observe_next()

    def _observe_next(self) -> None:
        number = len(self._times_s) + 1
        if number <= self._total:
            self._observe(f"{self._what} {number} of {self._total}")

    def compute_mean_s(self) -> tuple[float, float]:
        """Return the mean of the seconds between two ends, by the clock and of the CPU."""
        first, last, count = self._times_s[0], self._times_s[-1], len(self._times_s) - 1
        return (last[0] - first[0]) / count, (last[1] - first[1]) / count


def _probe_pass(method: Method, batch: Batch, precision: str, device: torch.device) -> tuple[float, float, Flops]:
    """Return saved MB, peak MB and operations per image of a forward and backward pass; gradients are discarded."""
    samples, saved = move_to_device(batch, device), SavedTensors(method)
    trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
    for parameter in trained:  # gradients are no part of what grows with the images
        parameter.grad = torch.zeros_like(parameter)

    def run_pass() -> None:
        with saved, cast_forward(precision, device):
            losses = method(samples)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())

    method.train()
    with watch_peak_memory(device) as peak:
        flops = _count(run_pass, images=len(batch))
    method.zero_grad(set_to_none=True)
    return saved.total_mb / len(batch), peak.added_mb / len(batch), flops


def _find_free_mb(method: Method, device: torch.device, limit_mb: float | None) -> float:
    """Return the memory for a pass, next to gradients and the optimizer's two moments."""
    own = sum(parameter.numel() for parameter in method.parameters() if parameter.requires_grad)
    own_mb = 3 * SCALAR_BYTES * own / MB
    if limit_mb is not None:
        return limit_mb - get_used_memory_mb(device) - own_mb
    return get_free_memory_mb(device) * USABLE_SHARE - own_mb


def cast_forward(precision: str, device: torch.device) -> torch.autocast:
    """Return the context of forward passes in a precision, "32-true" or "bf16-mixed"."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16-mixed")


def _count(action: Callable[[], object], *, images: int) -> Flops:
    counts = count_flops_by_operator(action)
    convolution = sum(count for name, count in counts.items() if "convolution" in name)
    return Flops(matrix=(sum(counts.values()) - convolution) // images, convolution=convolution // images)
