"""A map in forked processes gives what a loop gives, whatever happens to the processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmark.utils import forked_map
from benchmark.utils.forked_map import map_forked
from benchmark.utils.processes import is_process_alive, read_start_time


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Let this process have two cores and one thread, yield its id, and see that no process is left."""
    forked, fork = [], os.fork

    def fork_and_note() -> int:
        forked.append(fork())
        return forked[-1]

    monkeypatch.setattr(forked_map, "count_cores", lambda: 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(os, "fork", fork_and_note)
    yield os.getpid()
    for pid in forked:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_results_are_in_the_order_of_the_items_and_from_other_processes(two_cores: int) -> None:
    results = map_forked(lambda item: (item * item, os.getpid()), range(10), batch=3)
    assert [square for square, _ in results] == [item * item for item in range(10)]
    assert two_cores not in {pid for _, pid in results}


def test_few_items_several_threads_and_one_core_need_no_process(
    two_cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert map_forked(lambda _: os.getpid(), range(5), batch=3) == [two_cores] * 5
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert map_forked(lambda _: os.getpid(), range(6), batch=3) == [two_cores] * 6
    monkeypatch.undo()
    monkeypatch.setattr(forked_map, "count_cores", lambda: 1)
    assert map_forked(lambda _: os.getpid(), range(6), batch=3) == [two_cores] * 6


def test_an_error_is_raised_as_in_a_loop() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        map_forked(int, ["1", "2", "three", "4"], batch=1)


def test_processes_end_soon_after_their_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, time; from benchmark.utils import forked_map; forked_map.count_cores = lambda: 2\n"
        f"def wait(_): pathlib.Path({str(tmp_path)!r}, str(os.getpid())).touch(); time.sleep(60)\n"
        "forked_map.map_forked(wait, range(4), batch=1)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        born = {int(path.name): read_start_time(int(path.name)) for path in tmp_path.iterdir()}
        parent.kill()
    wait_until(lambda: not any(is_process_alive(pid, born=start) for pid, start in born.items()))


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_a_killed_process_does_not_give_is_computed_here(two_cores: int) -> None:
    def compute(item: int) -> int:
        if item == 2 and os.getpid() != two_cores:
            os.kill(os.getpid(), signal.SIGKILL)
        return -item

    assert map_forked(compute, range(8), batch=1) == [-item for item in range(8)]


def test_results_that_cannot_be_pickled_are_computed_here() -> None:
    assert [function() for function in map_forked(lambda item: lambda: item, range(4), batch=1)] == [0, 1, 2, 3]


def test_an_interrupt_ends_the_map_without_the_batches_that_are_left(two_cores: int, tmp_path: Path) -> None:
    def compute(item: int) -> None:
        (tmp_path / str(item)).touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_forked(compute, range(100), batch=1)
    assert len(list(tmp_path.iterdir())) < 100
