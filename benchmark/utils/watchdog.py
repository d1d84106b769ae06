"""A watchdog for waits that may never end, such as a read from a file system that does not answer.

A wait counts as stalled while the processes that should end it use almost no processor time. A slow read, a loaded
machine or a suspended job is therefore not mistaken for a stall. The watchdog interrupts a stalled wait of the main
thread by a signal, and the wait raises. A wait that no signal can interrupt ends the process.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from benchmark.utils.exit_codes import ExitCode

VARIABLE = "CHIMERA_BENCH_STALL_S"
"""Environment variable with the seconds after which the first wait is given up; 0 never gives up."""
FIRST_LIMIT_S, LATER_LIMIT_S = 45.0, 900.0
"""Default seconds without progress after which the first wait, and a later one, is given up: a file system that has
worked before is expected to return."""
TICK_S = 0.5
"""Seconds between two looks. Ticks are counted instead of the clock, so that a suspended process does not stall."""
GRACE_S = 10.0
"""Seconds that an interrupted wait may take to raise, before the process is ended."""
BUSY_SHARE = 0.01
"""Share of one processor's time that counts as progress."""
CLOCK_TICK_S = 0.01
"""Resolution of the processor time of other processes."""
_SIGNAL = signal.SIGURG
"""Signal that interrupts the main thread; ignored by default, so that a late one does no harm."""


class StalledError(RuntimeError):
    """A wait that made no progress was given up; the message says what was waited for."""


@dataclass
class _Wait:
    """A wait of the main thread.

    Attributes:
        describe: Function that returns what is waited for.
        limit_s: Seconds without progress after which the wait is given up.
        cpu_s: Processor time at the last progress; None if it cannot be read, or is not read yet: most waits end before
            the first look, and reading can take milliseconds.
        silent_s: Seconds since the last progress.
    """

    describe: Callable[[], str]
    limit_s: float
    cpu_s: float | None = None
    silent_s: float = 0.0


class Watchdog:
    """Watchdog over the waits of the main thread; does nothing in other threads.

    Args:
        read_cpu_s: Function that returns the processor time of the processes that should end a wait; None if unknown,
            which counts as progress.
        end: Function that is called before the process is ended because of a wait that cannot be interrupted.
        first_limit_s: Seconds without progress after which the first wait is given up, unless the user set others.
    """

    def __init__(
        self,
        read_cpu_s: Callable[[], float | None],
        *,
        end: Callable[[], None] = lambda: None,
        first_limit_s: float = FIRST_LIMIT_S,
    ) -> None:
        self._read_cpu_s, self._end = read_cpu_s, end
        self._wait: _Wait | None = None
        self._first_limit_s = float(os.environ.get(VARIABLE) or first_limit_s)
        self._is_first = True
        self._closed = threading.Event()

    @contextmanager
    def open(self) -> Iterator[Watchdog]:
        """Watch within the context."""
        is_needed = self._first_limit_s > 0 and threading.current_thread() is threading.main_thread()
        if not is_needed:
            yield self
            return
        thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
        _open_watchdogs.append(self)
        signal.signal(_SIGNAL, _interrupt)
        thread.start()
        try:
            yield self
        finally:
            self._closed.set()
            thread.join()
            _open_watchdogs.remove(self)
            if not _open_watchdogs:
                signal.signal(_SIGNAL, signal.SIG_DFL)

    @property
    def stall(self) -> str:
        """Description of a wait that is to be given up now; empty if there is none."""
        wait = self._wait
        return _describe_stall(wait) if wait is not None and wait.silent_s >= wait.limit_s else ""

    @contextmanager
    def watch(self, describe: Callable[[], str]) -> Iterator[None]:
        """Give up what happens within the context if it makes no progress.

        Args:
            describe: Function that returns what is waited for, such as "reading a.jpg".

        Raises:
            StalledError: There was no progress for too long.
        """
        limit_s = self._first_limit_s if self._is_first else max(self._first_limit_s, LATER_LIMIT_S)
        self._wait = _Wait(describe, limit_s)
        try:
            yield
            self._is_first = False
        finally:
            self._wait = None

    def _look(self) -> None:
        """Look at the current wait again and again, in a thread of its own."""
        while not self._closed.wait(TICK_S):
            wait = self._wait
            if wait is None:
                continue
            cpu_s, wait.silent_s = self._read_cpu_s(), wait.silent_s + TICK_S
            if cpu_s is None or wait.cpu_s is None or cpu_s - wait.cpu_s > CLOCK_TICK_S + BUSY_SHARE * wait.silent_s:
                wait.cpu_s, wait.silent_s = cpu_s, 0.0
            if wait.silent_s >= wait.limit_s + GRACE_S:
                self._end_process(wait)
            elif wait.silent_s >= wait.limit_s:
                signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)

    def _end_process(self, wait: _Wait) -> None:
        sys.stderr.write(f"{_describe_stall(wait)}\n")
        faulthandler.dump_traceback(all_threads=True)
        self._end()
        os._exit(ExitCode.STALLED)


_open_watchdogs: list[Watchdog] = []


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Raise in the main thread if a wait is to be given up."""
    for watchdog in _open_watchdogs:
        if watchdog.stall:
            raise StalledError(watchdog.stall)


def _describe_stall(wait: _Wait) -> str:
    return (
        f"no progress for {wait.limit_s:.0f} s while {wait.describe()}: the file system may not answer, or the process "
        f"is stuck; set {VARIABLE} to wait longer, 0 for ever"
    )
