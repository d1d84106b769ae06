"""Tests of the speed of a row: figures come one after the other, and the device is waited for only around a series."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmark.core.protocol import Protocol
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.engine.base import Progress
from benchmark.engine.fabric import FabricEngine
from benchmark.planning.resolve import build, load_split_of
from benchmark.profiling import device_clock, device_speed
from benchmark.profiling.device_speed import DeviceSpeed, measure_device_speed
from benchmark.profiling.pace import Workload
from benchmark.wrappers.sliding_window import SlidingWindow
from tests.engine.runs import small_spec, toybox


def make_workload(**overrides: Any) -> Workload:
    spec = small_spec("no drop", budget__batch_size=2, **overrides)
    split = load_split_of(spec)
    loader = EvalLoader(toybox(), split, protocol=Protocol(), max_images=3)

    def make_loader(batch_size: int) -> TrainLoader:
        return TrainLoader(toybox(), split, protocol=Protocol(), batch_size=batch_size, seed=0)

    return Workload(SlidingWindow(build(spec), side=64, stride=64), split, spec.budget, make_loader, loader, 0.0)


@pytest.fixture(autouse=True)
def short_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_speed, "MAX_STEPS", 2)


def measure(bare_parts: tuple[str, ...]) -> list[DeviceSpeed]:
    reports: list[DeviceSpeed] = []
    measure_device_speed(make_workload(), FabricEngine(), bare_parts=bare_parts, report=reports.append)
    return reports


def test_every_figure_is_reported_as_soon_as_it_is_known() -> None:
    figures = ("step_ms", "bare_ms", "tflops", "images_per_s", "eval_ratio")
    known = [[name for name in figures if getattr(speed, name)] for speed in measure(("color_map", "body"))]
    assert known == [list(figures[: count + 1]) for count in range(5)]


def test_without_bare_parts_there_is_no_bare_pass() -> None:
    last = measure(())[-1]
    assert last.bare_ms is None and last.step_ms and last.train_peak_mb and last.eval_peak_mb


def test_evaluation_is_measured_if_training_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(device_speed, "_measure_steps", run_out)
    last = measure(())[-1]
    assert last.step_ms is None and last.images_per_s and last.note == "out of memory in training with batches of 2"


def test_the_device_is_waited_for_after_the_first_and_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    clock = device_speed._SeriesClock(torch.device("cpu"))
    for done in range(1, 6):
        monkeypatch.setattr(device_clock, "synchronize", lambda _, done=done: waits.append(done))
        clock(Progress("train", done, 5, {}))
    assert waits == [1, 5] and clock.mean_s > 0
