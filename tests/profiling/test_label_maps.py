"""Both ways to labels and counts are timed on the same scores and held against each other."""

from __future__ import annotations

import json

import pytest
import torch
from typer.testing import CliRunner

from benchmark.cli.speed import app
from benchmark.core.lazy_scores import Answer
from benchmark.profiling import label_maps
from benchmark.profiling.label_maps import TASKS, Case, Speed, measure

SMALL = Case(classes=20, height=30, width=41)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own takes seconds to start."""
    monkeypatch.setattr(label_maps, "_in_fresh_process", lambda *_, is_whole: 300.0 if is_whole else 100.0)


@pytest.mark.parametrize("task", TASKS)
def test_both_ways_give_the_same(task: str) -> None:
    found = measure(task, SMALL, rounds=2)
    assert found.is_identical and found.times_less_memory == 3
    assert len(found.whole_ms) == len(found.chunked_ms) == 2


def test_another_result_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(answer: Answer, case: Case) -> torch.Tensor:
        return torch.zeros(2) + isinstance(answer, torch.Tensor)

    monkeypatch.setitem(TASKS, "label map", wrong)
    assert not measure("label map", SMALL, rounds=1).is_identical


def test_the_ratio_is_the_median_of_those_of_the_rounds() -> None:
    assert Speed((4.0, 9.0, 8.0), (2.0, 3.0, 1.0), 1.0, 1.0, True).times_as_fast == 3


@pytest.mark.slow
def test_all_scores_at_once_take_the_memory_that_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = measure("label map", Case(256, 256, 512), rounds=1)
    assert 128 <= found.whole_mb < 160 and found.times_less_memory > 2


def test_the_command_tells_and_ends_badly_where_results_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_maps, "CASES", (SMALL,))
    done = CliRunner().invoke(app, ["labels", "--rounds", "1", "--json"])
    assert done.exit_code == 0
    assert [row["is_identical"] for row in json.loads(done.stdout)] == [True] * len(TASKS)
    monkeypatch.setattr(label_maps, "_is_same", lambda *_: False)
    table = CliRunner().invoke(app, ["labels", "--rounds", "1"])
    assert table.exit_code == 1 and "20       30 x 41" in table.stdout
