"""The evaluation loop: every image is predicted and counted once."""

from __future__ import annotations

import pytest

from benchmark.core.method import Method
from benchmark.core.protocol import Protocol
from benchmark.core.split import Split
from benchmark.data.loader import EvalLoader
from benchmark.engine.base import Observer, Progress
from benchmark.engine.fabric import FabricEngine
from benchmark.evaluation.counts import Counts
from benchmark.planning.resolve import build, load_split_of
from tests.engine.runs import small_spec, toybox


def evaluate(method: Method, loader: EvalLoader, split: Split, *, observe: Observer) -> Counts:
    engine = FabricEngine()
    return engine.evaluate(method, loader, classes=split.classes, seen=split.is_seen, gamma=0.0, observe=observe)


def test_every_image_is_counted_once_and_reported() -> None:
    spec, reports = small_spec(), list[Progress]()
    method, split = build(spec), load_split_of(spec)
    loader = EvalLoader(toybox(), split, protocol=Protocol(), max_images=2)
    counts = evaluate(method, loader, split, observe=reports.append)
    assert counts.target.sum() == sum(int((target != 255).sum()) for _, target in loader)
    assert [(report.stage, report.done, report.total) for report in reports] == [("evaluate", 1, 2), ("evaluate", 2, 2)]


def test_a_method_must_return_one_prediction_per_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = small_spec()
    method, split = build(spec), load_split_of(spec)
    monkeypatch.setattr(type(method), "predict", lambda self, batch: [])
    loader = EvalLoader(toybox(), split, protocol=Protocol(), max_images=1)
    with pytest.raises(ValueError, match="returned 0 predictions for one sample"):
        evaluate(method, loader, split, observe=lambda _: None)
