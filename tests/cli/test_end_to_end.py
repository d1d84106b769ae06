"""Commands with real processes: a tiny method from a file, from `run` to `verify`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from tests.cli.shell import TINY, run_command

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store in which the tiny method was run once, on two images and with a tracker."""
    root = tmp_path_factory.mktemp("runs")
    done = _start(root, "run", TINY, "--max-images", "2", "--track", "tensorboard")
    assert done.wait() == 0
    return root


def _start(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmark", "--runs", str(root), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for(root: Path, state: str) -> str:
    """Return the first run that reaches a state, or raise TimeoutError after a minute and a half."""
    store = Store(root)
    for _ in range(900):
        found = [run_id for run_id in store.list_ids() if store.run(run_id).read_state() == state]
        if found:
            return found[0]
        time.sleep(0.1)
    raise TimeoutError(state)


def test_a_run_keeps_all_its_files_in_its_folder(runs: Path) -> None:
    store = Store(runs)
    (run_id,) = store.list_ids()
    assert store.run(run_id).read_state() == RunState.DONE
    assert [entry["iteration"] for entry in store.run(run_id).read_losses()] == [0, 1, 2]
    assert "evaluate 2/2" in store.run(run_id).find_log().read_text()
    assert not store.run(run_id).lock_path.exists()


def test_a_tracked_run_has_losses_and_scores_in_tensorboard(runs: Path) -> None:
    reading: Any = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (folder,) = runs.glob("tiny*/tensorboard")
    events = reading.EventAccumulator(str(folder)).Reload()
    assert [event.step for event in events.Scalars("loss/loss")] == [0, 1, 2]
    assert {"learning_rate", "score/hiou"} < set(events.Tags()["scalars"])


def test_a_run_can_be_verified_without_its_trackers_and_has_the_same_counts(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run_command(capsys, "--runs", str(runs), "verify", "tiny", "--json")
    assert code == 0 and json.loads(out)["identical"]


@pytest.mark.slow
def test_the_same_command_resumes_after_an_interrupt(tmp_path: Path) -> None:
    arguments = ("run", TINY, "--max-images", "2", "--set", "pause_s=0.5", "--set", "budget.iterations=8")
    command = _start(tmp_path, *arguments)
    run_id = _wait_for(tmp_path, RunState.RUNNING)
    owner = json.loads((tmp_path / run_id / "lock").read_text())["pid"]
    command.send_signal(signal.SIGINT)
    assert command.wait() == 130
    with pytest.raises(ProcessLookupError):
        os.kill(owner, 0)
    assert Store(tmp_path).run(run_id).read_state() == RunState.INTERRUPTED
    assert _start(tmp_path, *arguments).wait() == 0


@pytest.mark.slow
def test_two_concurrent_commands_run_every_run_once(tmp_path: Path) -> None:
    arguments = ("run", TINY, "--max-images", "2", "--seed", "0", "--seed", "1", "--set", "pause_s=0.5", "-j", "2")
    commands = [_start(tmp_path, *arguments) for _ in range(2)]
    assert [command.wait() for command in commands] == [0, 0]
    _wait_for(tmp_path, RunState.DONE)
    store = Store(tmp_path)
    assert [len(store.run(run_id).read_attempts()) for run_id in store.list_ids()] == [1, 1]


@pytest.mark.slow
def test_a_killed_worker_is_recorded_and_can_be_retried(tmp_path: Path) -> None:
    arguments = ("run", TINY, "--max-images", "2", "--set", "pause_s=0.5", "--set", "budget.iterations=8")
    command = _start(tmp_path, *arguments)
    run_id = _wait_for(tmp_path, RunState.RUNNING)
    os.kill(json.loads((tmp_path / run_id / "lock").read_text())["pid"], signal.SIGKILL)
    assert command.wait() == 3
    failure = Store(tmp_path).run(run_id).read_record().failure
    assert failure is not None and "signal 9" in failure.message
    assert _start(tmp_path, *arguments, "--retry-failed").wait() == 0
