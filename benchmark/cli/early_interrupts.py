"""Interrupts while the program is being imported, before `main` reports them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from benchmark.utils.exit_codes import ExitCode


@contextmanager
def end_quietly() -> Iterator[None]:
    """End the process at SIGINT, without a traceback; nothing has been started or written yet.

    A process that ignores SIGINT or handles it in a way of its own keeps doing so, and imports in a thread are left
    alone. An exception would not do: that of an interrupt in a callback of the import system is printed and lost.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_signal: int, _frame: FrameType | None) -> None:
    os._exit(ExitCode.INTERRUPTED)
