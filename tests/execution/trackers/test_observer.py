"""The side of a run: what is sent to trackers, and that the run never waits for them."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.engine.base import Progress
from benchmark.execution.trackers import observer
from benchmark.execution.trackers.observer import track_run
from benchmark.store.run_folder import RunFolder
from tests.report.world import spec_of

RUN, SPEC = RunFolder(Path("nowhere") / spec_of().id), spec_of()


@pytest.fixture
def process_code(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list whose first entry is the code of the process that takes the place of the trackers."""
    codes: list[str] = []
    original = subprocess.Popen

    def start(_: list[str], **options: int) -> subprocess.Popen[bytes]:
        return original([sys.executable, "-c", codes[0]], **options)  # type: ignore[call-overload]

    monkeypatch.setattr("benchmark.execution.trackers.observer.subprocess.Popen", start)
    return codes


def train(done: int, *, size: int = 1) -> Progress:
    return Progress("train", done, 600, {f"loss{number}": 0.5 for number in range(size)}, 0.1)


def test_without_trackers_nothing_is_observed() -> None:
    with track_run(RUN, SPEC, "") as observe:
        assert observe is None


def test_steps_are_sent_as_often_as_the_history_keeps_them(tmp_path: Path, process_code: list[str]) -> None:
    process_code.append(f"import sys; open({str(tmp_path / 'got')!r}, 'w').write(sys.stdin.read())")
    with track_run(RUN, SPEC, "tensorboard") as observe:
        assert observe is not None
        for done in range(1, 5):
            observe(train(done))
        observe(Progress("evaluate", 1, 4, {}))
    assert (tmp_path / "got").read_text().splitlines() == [
        '{"iteration": 0, "values": {"loss/loss0": 0.5, "learning_rate": 0.1}}',
        '{"iteration": 2, "values": {"loss/loss0": 0.5, "learning_rate": 0.1}}',
    ]


def test_a_tracker_that_does_not_read_costs_no_time(
    process_code: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "CLOSE_TIMEOUT_S", 0.1)
    process_code.append("import time; time.sleep(60)")
    begin = time.monotonic()
    with track_run(RUN, SPEC, "wandb") as observe:
        assert observe is not None
        for done in range(1, 600):
            observe(train(done, size=30))
    assert time.monotonic() - begin < 5
    assert "too slow" in caplog.text and "did not finish within 0 s" in caplog.text


def test_a_tracker_that_ends_is_one_line_in_the_log(process_code: list[str], caplog: pytest.LogCaptureFixture) -> None:
    process_code.append("")
    caplog.set_level(logging.WARNING)
    with track_run(RUN, SPEC, "wandb") as observe:
        assert observe is not None
        for done in range(1, 600):
            time.sleep(0.002)
            observe(train(done))
    assert caplog.text.count("trackers are off, the run goes on") == 1
