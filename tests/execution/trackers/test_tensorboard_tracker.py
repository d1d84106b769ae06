"""TensorBoard's event files, read back with TensorBoard."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorboard", reason="TensorBoard is not installed")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from benchmark.core.run_state import RunState
from benchmark.execution.trackers.tensorboard_tracker import TensorBoardTracker
from benchmark.store.run_folder import RunFolder
from tests.report.world import spec_of


def read(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard")).Reload().Scalars(name)
    return [(event.step, event.value) for event in events]


def test_losses_and_scores_are_scalars(tmp_path: Path) -> None:
    tracker = TensorBoardTracker(RunFolder(tmp_path), spec_of())
    for step in range(3):
        tracker.log(step, {"loss/a": step / 2, "learning_rate": 0.25})
    tracker.finish(RunState.DONE, {"hiou": 42.5}, iterations=3)
    assert read(tmp_path, "loss/a") == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert read(tmp_path, "learning_rate")[-1] == (2, 0.25)
    assert read(tmp_path, "score/hiou") == [(3, 42.5)]


def test_what_an_attempt_wrote_beyond_the_checkpoint_is_dropped(tmp_path: Path) -> None:
    for steps in (range(4), range(2, 6)):
        tracker = TensorBoardTracker(RunFolder(tmp_path), spec_of())
        for step in steps:
            tracker.log(step, {"loss/a": float(steps.start)})
        tracker.finish(RunState.INTERRUPTED, {}, iterations=6)
    assert read(tmp_path, "loss/a") == [(0, 0.0), (1, 0.0), (2, 2.0), (3, 2.0), (4, 2.0), (5, 2.0)]
