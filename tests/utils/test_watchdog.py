"""A wait that makes no progress is given up; slow work is not."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from benchmark.utils.watchdog import StalledError, Watchdog


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are given up after 0.2 s."""
    monkeypatch.setenv("CHIMERA_BENCH_STALL_S", "0.2")
    monkeypatch.setattr("benchmark.utils.watchdog.TICK_S", 0.05)


def test_a_wait_without_progress_raises_and_names_what_was_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    watchdog = Watchdog(time.process_time)
    with (
        watchdog.open(),
        pytest.raises(StalledError, match="while reading a pipe"),
        watchdog.watch(lambda: "reading a pipe"),
    ):
        (tmp_path / "pipe").read_bytes()
    assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL


def test_work_and_unknown_progress_are_not_given_up() -> None:
    until = time.monotonic() + 0.6
    watchdog = Watchdog(time.process_time)
    with watchdog.open(), watchdog.watch(lambda: "computing"):
        while time.monotonic() < until:
            sum(range(1000))
    unknown = Watchdog(lambda: None)
    with unknown.open(), unknown.watch(lambda: "sleeping"):
        time.sleep(0.5)


def test_time_between_two_waits_does_not_count_and_later_waits_have_more_time() -> None:
    watchdog = Watchdog(time.process_time)
    with watchdog.open():
        with watchdog.watch(lambda: "reading"):
            pass
        time.sleep(0.5)
        with watchdog.watch(lambda: "reading"):
            time.sleep(0.5)


def test_nothing_is_watched_if_the_user_says_so_or_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait() -> None:
        watchdog = Watchdog(time.process_time)
        with watchdog.open(), watchdog.watch(lambda: "sleeping"):
            time.sleep(0.5)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    monkeypatch.setenv("CHIMERA_BENCH_STALL_S", "0")
    wait()
