"""Means of the stages of Chimera-Seg over runs."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
from scipy import stats

from benchmark.evaluation.scores import Scores
from methods.probes.summary import average_stages, check_same_stages


def make_run(**hiou: float) -> dict[str, Scores]:
    def make_scores(value: float) -> Any:
        return SimpleNamespace(miou_seen=value + 1, miou_unseen=value - 1, hiou=value)

    return {stage: cast(Scores, make_scores(value)) for stage, value in hiou.items()}


def test_what_follows_a_stage_has_the_t_interval_of_its_mean_over_runs() -> None:
    runs = [make_run(tokens=40, prediction=50), make_run(tokens=42, prediction=46), make_run(tokens=38, prediction=51)]
    tokens, prediction = average_stages(runs, splits=["a"] * 3)
    expected = stats.ttest_1samp([10, 4, 13], 0).confidence_interval(0.95)
    assert tokens.means == {"miou_seen": 41, "miou_unseen": 39, "hiou": 40}
    assert tokens.gain - tokens.gain_half_width == pytest.approx(expected.low)
    assert tokens.gain + tokens.gain_half_width == pytest.approx(expected.high)
    assert (prediction.gain, prediction.gain_half_width) == (0, 0)


def test_runs_on_several_splits_have_the_interval_over_the_splits() -> None:
    gains = {"a": [10, 12], "b": [4], "c": [13, 14, 15]}
    runs = [make_run(tokens=40, prediction=40 + gain) for some in gains.values() for gain in some]
    tokens, _ = average_stages(runs, splits=[split for split, some in gains.items() for _ in some])
    expected = stats.ttest_1samp([11, 4, 14], 0).confidence_interval(0.95)
    assert tokens.gain == pytest.approx(29 / 3)
    assert tokens.gain - tokens.gain_half_width == pytest.approx(expected.low)


def test_one_run_has_no_interval() -> None:
    (tokens, _) = average_stages([make_run(tokens=40, prediction=50)], splits=["a"])
    assert tokens.gain == 10 and math.isnan(tokens.gain_half_width)


def test_runs_with_other_stages_are_refused() -> None:
    with pytest.raises(ValueError, match="the runs have different stages"):
        check_same_stages([make_run(features=1, tokens=40, prediction=50), make_run(features=1, prediction=50)])
