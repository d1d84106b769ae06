"""Tests of the cost of a method."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmark.core.lazy_scores import LazyPrediction
from benchmark.core.method import Method
from benchmark.core.split import load_split
from benchmark.core.types import Batch, Losses, Prediction
from benchmark.profiling.cost import ParameterUse, compute_typical_s, count_flops, measure_cost, time_predictions


class SlowScores(LazyPrediction):
    """Prediction whose scores take 30 ms."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return 1, 2, 2

    def compute_scores(self, classes: slice) -> Tensor:
        time.sleep(0.03)
        return torch.zeros(1, 2, 2)


class Calls(Method):
    """Method that counts its predictions and training steps."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 1))
        self.predictions, self.steps = 0, 0

    def set_classes(self, names: Sequence[str]) -> None:
        pass

    def losses(self, batch: Batch) -> Losses:
        self.steps += 1
        return {"loss": (batch[0]["image"].flatten(1).T @ self.weight).sum()}

    def predict(self, batch: Batch) -> list[Prediction]:
        self.predictions += 1
        return cast(list[Prediction], [SlowScores(made=sample["image"][0, 0, 0] * self.weight) for sample in batch])


BATCH: Batch = [{"image": torch.zeros(3, 2, 2), "height": 2, "width": 2, "file_name": "a", "image_id": "a"}]
SPLIT = load_split("toybox")


def test_one_prediction_and_one_training_step_are_measured() -> None:
    method = Calls()
    cost = measure_cost(method, BATCH, split=SPLIT, training=BATCH, precision="32-true", predict_s=[0.5])
    assert (method.predictions, method.steps) == (1, 1)
    assert (cost["total_parameters"], cost["training_flops"], cost["image_size"]) == (3, 2 * 2 * 4 * 3, (2, 2))


def test_the_latency_is_that_of_evaluation_and_of_the_full_size_scores() -> None:
    cost = measure_cost(Calls(), BATCH, split=SPLIT, training=None, precision="32-true", predict_s=[9, 0.2, 0.1, 0.3])
    assert 200 + 30 <= cost["latency_ms"] < 300


@pytest.mark.parametrize(("seconds", "typical"), [([4.0], 4.0), ([9.0, 1.0], 1.0), ([9.0, 1.0, 3.0, 2.0], 2.0)])
def test_the_first_of_several_predictions_is_a_warm_up(seconds: list[float], typical: float) -> None:
    assert compute_typical_s(seconds) == typical


def test_predictions_are_timed_and_training_steps_are_not() -> None:
    method = Calls()
    with time_predictions(method) as seconds:
        method.train()(BATCH)
        method.eval()(BATCH)
    method(BATCH)
    assert len(seconds) == 1 and 0 < seconds[0] < 1


def test_attention_is_counted_in_full() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    tokens = torch.randn(1, 5, 8)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            counted = count_flops(lambda: attention(tokens, tokens, tokens, need_weights=False))
        assert counted == 2 * (5 * 8 * 24 + 2 * 5 * 5 * 8 + 5 * 8 * 8)
    assert torch.backends.mha.get_fastpath_enabled()


def test_parameters_of_a_teacher_are_not_counted() -> None:
    student, teacher = nn.Linear(3, 2), nn.Linear(3, 2)
    with ParameterUse(nn.ModuleList([student, teacher])) as use:
        F.linear(torch.ones(1, 3), student.weight.T.T, student.bias)
    assert use.scalars == 8
