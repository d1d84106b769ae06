"""ZegCLIP, Cascade-CLIP and OTSeg beside their official code, with equal weights."""

from __future__ import annotations

import pytest
import torch

from methods.blocks.prompted_clip import PromptedSegmenter
from tests.methods.official_prompted import (
    OFFICIAL_CASES,
    OfficialCase,
    compute_losses,
    predict_probabilities,
    read_outputs,
)


@pytest.fixture(params=OFFICIAL_CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> OfficialCase:
    selected: OfficialCase = request.param
    return selected


@pytest.fixture
def method(case: OfficialCase) -> PromptedSegmenter:
    return case.load()


@pytest.mark.parametrize("side", [32, 48])
def test_probabilities_are_those_of_the_official_code(case: OfficialCase, method: PromptedSegmenter, side: int) -> None:
    expected = read_outputs(case.name)[f"probabilities_{side}"]
    assert expected.std() > case.least_deviation
    torch.testing.assert_close(predict_probabilities(case.name, method, side), expected, rtol=0, atol=1e-5)


def test_losses_of_all_paths_are_those_of_the_official_code(case: OfficialCase, method: PromptedSegmenter) -> None:
    expected = read_outputs(case.name)["losses_48"].flatten().tolist()
    assert compute_losses(case.name, method) == pytest.approx(expected, rel=1e-5)
