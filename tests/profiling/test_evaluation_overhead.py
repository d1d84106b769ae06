"""Tests of the overhead of an evaluation: every image is timed twice, and the counts are left alone."""

from __future__ import annotations

import time

import pytest
import torch

from benchmark.core.protocol import Protocol
from benchmark.core.types import Batch, Prediction
from benchmark.data.loader import EvalLoader
from benchmark.engine.fabric import FabricEngine
from benchmark.planning.resolve import build, load_split_of
from benchmark.profiling.evaluation_overhead import EvaluationOverhead, measure_evaluation_overhead
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
        time.sleep(0.05)
        return [{"sem_seg": torch.zeros(len(self.names), sample["height"], sample["width"])} for sample in batch]

    monkeypatch.setattr(type(build(small_spec())), "predict", predict)
    overhead = measure(3)
    assert min(overhead.bare_ms) >= 50 and min(overhead.engine_ms) >= 50


def test_the_ratio_is_the_median_over_images() -> None:
    assert EvaluationOverhead((10.0, 20.0, 10.0), (11.0, 30.0, 12.0), 0.0).ratio == pytest.approx(1.2)
