"""Tests of the overhead of an evaluation: every image is timed twice, and the counts are left alone."""

from __future__ import annotations

import time
from functools import partial

import pytest
import torch

from benchmark.core.protocol import Protocol
from benchmark.core.types import Batch, Prediction
from benchmark.data.loader import EvalLoader
from benchmark.engine.fabric import FabricEngine
from benchmark.planning.resolve import build, load_split_of
from benchmark.profiling.device_clock import read_clock_s
from benchmark.profiling.evaluation_overhead import EvaluationOverhead, _choose_clock, measure_evaluation_overhead
from tests.engine.runs import small_spec, toybox
from tests.engine.small_method import Small


def measure(images: int) -> EvaluationOverhead:
    spec = small_spec()
    split = load_split_of(spec)
    loader = EvalLoader(toybox(), split, protocol=Protocol(), max_images=2)
    return measure_evaluation_overhead(build(spec), loader, split, engine=FabricEngine(), images=images)


def test_images_are_repeated_and_timed_in_both_ways() -> None:
    overhead = measure(5)
    assert len(overhead.bare_ms) == len(overhead.engine_ms) == 5 and overhead.read_ms > 0


def test_the_time_of_a_slow_method_is_part_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(self: Small, batch: Batch) -> list[Prediction]:
        end_s = time.thread_time() + 0.05
        while time.thread_time() < end_s:
            pass
        return [{"sem_seg": torch.zeros(len(self.names), sample["height"], sample["width"])} for sample in batch]

    monkeypatch.setattr(type(build(small_spec())), "predict", predict)
    overhead = measure(3)
    assert min(overhead.bare_ms) >= 50 and min(overhead.engine_ms) >= 50


def test_processor_time_is_measured_if_one_thread_does_all_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert _choose_clock(torch.device("cpu")) is time.thread_time
    waited = _choose_clock(torch.device("cuda"))
    assert isinstance(waited, partial) and waited.func is read_clock_s and waited.args == (torch.device("cuda"),)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert isinstance(_choose_clock(torch.device("cpu")), partial)


def test_the_ratio_is_the_median_over_images() -> None:
    assert EvaluationOverhead((10.0, 20.0, 10.0), (11.0, 30.0, 12.0), 0.0).ratio == pytest.approx(1.2)
