"""The process of a run's trackers, with trackers that are written for these tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.execution.trackers.process import track
from benchmark.execution.trackers.tracker import KINDS, TrackerKind, list_missing, parse_names
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from tests.report.world import even, save, spec_of

LINES = [json.dumps({"iteration": step, "values": {"loss/a": 1.0 / step, "learning_rate": 0.1}}) for step in (1, 2)]


class Memory:
    """Tracker that remembers what it got, and raises at the given iteration."""

    got: ClassVar[list[Any]] = []
    raises_at = 0

    def __init__(self, run: RunFolder, spec: RunSpec) -> None:
        type(self).got = [spec.id]

    def log(self, iteration: int, values: Mapping[str, float]) -> None:
        if iteration == self.raises_at:
            raise RuntimeError("the server is gone")
        self.got.append((iteration, dict(values)))

    def finish(self, state: RunState, scores: Mapping[str, float], *, iterations: int) -> None:
        self.got.append((state, scores.get("hiou"), iterations))


class Failing(Memory):
    """Tracker that raises at the second iteration."""

    raises_at = 2


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """Return the folder of a run; the trackers of this file are known as `memory` and `failing`."""
    module = ModuleType("test_trackers")
    module.Memory, module.Failing = Memory, Failing  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "test_trackers", module)
    for name in ("Memory", "Failing"):
        monkeypatch.setitem(KINDS, name.lower(), TrackerKind(f"test_trackers:{name}", "json", "x"))
    run = Store(tmp_path).run(spec_of().id)
    run.write_spec(spec_of())
    return run


def test_a_tracker_gets_every_step_and_the_scores(run: RunFolder) -> None:
    save(Store(run.path.parent), spec_of(), even(80, 80))
    track(run, ["memory"], LINES)
    assert Memory.got[1:3] == [
        (1, {"loss/a": 1.0, "learning_rate": 0.1}),
        (2, {"loss/a": 0.5, "learning_rate": 0.1}),
    ]
    assert Memory.got[3] == (RunState.DONE, pytest.approx(100 * 80 / 120), 600)


@pytest.mark.parametrize("failure", [None, Failure(kind="ValueError", message="no")])
def test_without_a_result_a_tracker_gets_the_state(run: RunFolder, failure: Failure | None) -> None:
    if failure is not None:
        save(Store(run.path.parent), spec_of(), failure)
    track(run, ["memory"], [])
    assert Memory.got[1:] == [(RunState.FAILED if failure else RunState.INTERRUPTED, None, 600)]


def test_a_tracker_that_raises_is_one_line_and_the_others_go_on(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    track(run, ["failing", "memory"], LINES)
    assert capsys.readouterr().out == "tracker failing is off, the run goes on: RuntimeError: the server is gone\n"
    assert len(Failing.got) == 2 and len(Memory.got) == 4


def test_losses_that_are_not_finite_and_broken_lines_are_left_out(run: RunFolder) -> None:
    lines = ['{"iteration": 3, "values": {"a": NaN, "b": null, "c": 1}}', '{"iterat', "[]", '{"iteration": 4}']
    track(run, ["memory"], lines)
    assert Memory.got[1:-1] == [(3, {"c": 1.0})]


def test_names_are_checked_and_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_names("wandb, tensorboard,wandb") == ("wandb", "tensorboard")
    with pytest.raises(ValueError, match="did you mean 'tensorboard'"):
        parse_names("tensorbord")
    monkeypatch.setitem(KINDS, "wandb", TrackerKind("x:y", "no_such_package", "wandb"))
    assert list_missing(["wandb"]) == [
        "tracker wandb is not installed, runs go on without it: pip install 'chimera-bench[wandb]'"
    ]
