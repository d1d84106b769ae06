"""Tests of methods that say that all seeds give one result: what their traits claim is what they do."""

from __future__ import annotations

import pytest
import torch

from benchmark.planning.resolve import build, load_recipe_of
from tests.methods.cases import CASES, SPLIT, prediction_batch, spec_of

DETERMINISTIC = [case for case in CASES if load_recipe_of(spec_of(case)).traits.is_deterministic]


@pytest.mark.parametrize("case", DETERMINISTIC)
def test_a_deterministic_method_predicts_the_same_with_every_seed(case: str) -> None:
    scores = []
    for seed in (0, 1):
        method = build(spec_of(case).with_seed(seed))
        method.set_classes(SPLIT.classes)
        scores.append(method.eval().predict(prediction_batch()))
    for first, second in zip(*scores, strict=True):
        assert torch.equal(first["sem_seg"], second["sem_seg"])


def test_maskclip_is_deterministic_in_every_variant() -> None:
    assert [case for case in CASES if case.startswith("maskclip/")] == DETERMINISTIC
