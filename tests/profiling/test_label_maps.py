"""Tests of the comparison of label maps and counts with all scores at once and a few classes at a time."""

from __future__ import annotations

import json

import pytest
import torch
from typer.testing import CliRunner

from benchmark.cli.speed import app
from benchmark.core.lazy_scores import AnyPrediction
from benchmark.profiling import label_maps
from benchmark.profiling.label_maps import TASKS, Case, ChunkingComparison, compare_chunking

SMALL = Case(classes=20, height=30, width=41)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the new process, which takes seconds to start."""
    monkeypatch.setattr(label_maps, "_measure_in_new_process", lambda *_, is_whole: 300.0 if is_whole else 100.0)


@pytest.mark.parametrize("task", TASKS)
def test_both_give_the_same_result(task: str) -> None:
    comparison = compare_chunking(task, SMALL, rounds=2)
    assert comparison.is_identical and comparison.times_less_memory == 3
    assert len(comparison.whole_ms) == len(comparison.chunked_ms) == 2


def test_a_different_result_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    def compute_wrong_result(answer: AnyPrediction, case: Case) -> torch.Tensor:
        return torch.zeros(2) + isinstance(answer, torch.Tensor)

    monkeypatch.setitem(TASKS, "label map", compute_wrong_result)
    assert not compare_chunking("label map", SMALL, rounds=1).is_identical


def test_the_ratio_is_the_median_over_the_rounds() -> None:
    assert ChunkingComparison((4.0, 9.0, 8.0), (2.0, 3.0, 1.0), 1.0, 1.0, True).times_as_fast == 3


@pytest.mark.slow
def test_all_scores_at_once_need_the_memory_of_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    comparison = compare_chunking("label map", Case(256, 256, 512), rounds=1)
    assert 128 <= comparison.whole_mb < 160 and comparison.times_less_memory > 2


def test_the_command_fails_if_results_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_maps, "CASES", (SMALL,))
    result = CliRunner().invoke(app, ["labels", "--rounds", "1", "--json"])
    assert result.exit_code == 0
    assert [row["is_identical"] for row in json.loads(result.stdout)] == [True] * len(TASKS)
    monkeypatch.setattr(label_maps, "_is_identical", lambda *_: False)
    table = CliRunner().invoke(app, ["labels", "--rounds", "1"])
    assert table.exit_code == 1 and "20       30 x 41" in table.stdout
