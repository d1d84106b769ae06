"""Tests of the cost of a method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from benchmark.core.lazy_scores import LazyPrediction
from benchmark.core.method import Method
from benchmark.core.split import load_split
from benchmark.core.types import Batch, Losses, Prediction
from benchmark.profiling.cost import LATENCY_RUNS, measure_cost


class RecordedPrediction(LazyPrediction):
    """Prediction that records in `made` when scores are read."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return 1, 2, 2

    def compute_scores(self, classes: slice) -> Tensor:
        self["made"].append(classes)
        return torch.zeros(1, 2, 2)


class LazyMethod(Method):
    """Method with lazy predictions."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[slice] = []

    def set_classes(self, names: Sequence[str]) -> None:
        pass

    def losses(self, batch: Batch) -> Losses:
        return {}

    def predict(self, batch: Batch) -> list[Prediction]:
        return cast(list[Prediction], [RecordedPrediction(made=self.made) for _ in batch])


def test_the_latency_includes_the_scores_of_all_classes() -> None:
    method, image = LazyMethod(), torch.zeros(3, 2, 2)
    batch: Batch = [{"image": image, "height": 2, "width": 2, "file_name": "a", "image_id": "a"}]
    measure_cost(method, batch, split=load_split("toybox"), training=None, train_seconds=0, precision="32-true")
    assert len(method.made) == 1 + LATENCY_RUNS
