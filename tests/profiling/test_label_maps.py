"""Tests of the comparison of label maps and counts with all scores first and a few classes at a time."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from benchmark.cli.speed import app
from benchmark.core.lazy_scores import LowResPrediction
from benchmark.core.types import get_ignore_label
from benchmark.profiling import label_maps
from benchmark.profiling.label_maps import (
    CASES,
    TASKS,
    Case,
    ChunkingComparison,
    Task,
    compare_chunking,
    measure_memory_mb,
)
from benchmark.utils.optional_packages import require_detectron2

SMALL = Case(classes=20, height=30, width=41)


def compute_zeros(prediction: LowResPrediction, target: torch.Tensor) -> np.ndarray:
    return np.zeros(prediction.shape[1:])


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the new process, which takes seconds to start."""
    monkeypatch.setattr(label_maps, "_measure_in_new_process", lambda *_, is_whole: 300.0 if is_whole else 100.0)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("case", [SMALL, Case(20, 30, 41, contrast=3, is_resized=True), Case(70, 200, 300)])
def test_both_give_the_same_result(task: str, case: Case) -> None:
    comparison = compare_chunking(TASKS[task], case, rounds=2)
    assert comparison.is_identical
    assert len(comparison.whole_ms) == len(comparison.chunked_ms) == 2


def test_counts_leave_out_ignored_pixels() -> None:
    case = Case(2, 8, 8)
    prediction, target = case.draw_prediction(), torch.zeros(8, 8, dtype=torch.long)
    target[0] = get_ignore_label(2)
    counts = label_maps.count_all_scores(prediction, target)
    assert counts.sum() == 56 and counts[0, 1] == int((prediction["sem_seg"].argmax(dim=0)[1:] == 1).sum())


def test_a_different_result_is_detected() -> None:
    task = Task(TASKS["label map"].whole, compute_zeros)
    assert not compare_chunking(task, SMALL, rounds=1).is_identical


def test_the_ratio_is_the_median_over_the_rounds() -> None:
    assert ChunkingComparison((4.0, 9.0, 8.0), (2.0, 3.0, 1.0), True).times_as_fast == 3


def test_few_classes_stand_out_by_the_contrast() -> None:
    plain, raised = (Case(20, 30, 41, contrast=contrast).draw_prediction()["low_res"] for contrast in (0, 5))
    assert sorted({round(float(value)) for value in (raised - plain).mean(dim=(0, 2, 3))}) == [0, 5]


def test_the_worst_case_of_every_size_is_measured() -> None:
    assert {case.classes for case in label_maps.find_worst(CASES)} == {case.classes for case in CASES}


@pytest.mark.slow
def test_all_scores_first_need_the_memory_of_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    whole, chunked = measure_memory_mb("label map", Case(256, 256, 512))
    assert 127 < whole < 160 and chunked < 32


@pytest.mark.slow
def test_counts_are_those_of_detectron2() -> None:
    try:
        require_detectron2()
    except ValueError as error:
        pytest.skip(str(error))
    from benchmark.d2.evaluator_speed import make_evaluation

    for case in (SMALL, Case(300, 200, 210, is_resized=True)):
        task = Task(make_evaluation(case.classes), TASKS["counts"].chunked)
        assert compare_chunking(task, case, rounds=1).is_identical


def test_the_command_fails_if_results_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_maps, "CASES", (SMALL, Case(20, 32, 48, is_resized=True)))
    result = CliRunner().invoke(app, ["labels", "--rounds", "1", "--json"])
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    assert all(row["is_identical"] for row in rows["times"]) and len(rows["memory"]) == len(TASKS)
    monkeypatch.setitem(TASKS, "label map", Task(TASKS["label map"].whole, compute_zeros))
    table = CliRunner().invoke(app, ["labels", "--rounds", "1"])
    assert table.exit_code == 1 and "36 x 54  noise, resized twice" in table.stdout


def test_results_are_printed_as_they_are_measured_and_a_missing_evaluator_is_named_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[Case] = []

    def compare(task: Task, case: Case, *, rounds: int) -> ChunkingComparison:
        measured.append(case)
        if len(measured) > len(TASKS):
            raise KeyboardInterrupt
        return ChunkingComparison((40.0,), (12.0,), is_identical=True)

    def refuse() -> None:
        raise ValueError("Detectron2 is not installed")

    monkeypatch.setattr(label_maps, "compare_chunking", compare)
    monkeypatch.setattr("benchmark.utils.optional_packages.require_detectron2", refuse)
    lines = CliRunner().invoke(app, ["labels"]).stderr.splitlines()
    assert [line for line in lines if "skipped" in line] == ["SemSegEvaluator skipped: Detectron2 is not installed"]
    assert sum(": 40 ms, ours 12 ms" in line for line in lines) == len(TASKS)
