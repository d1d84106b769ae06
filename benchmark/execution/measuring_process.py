"""A process that measures something and sends messages about it."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

END_S = 5.0
"""Seconds to wait for the end of a process that has sent its last message or was killed."""


@contextmanager
def open_measuring_process(target: Callable[..., None], *arguments: Any) -> Iterator[tuple[Connection, BaseProcess]]:
    """Start a process, yield the end of the pipe that it sends to, and the process, and kill it at the end.

    The pipe raises EOFError once the process has ended and all messages are received. An interrupt of the terminal is
    left to the caller.

    Args:
        target: Function of a module, which gets the arguments and then its end of the pipe.
        arguments: Arguments that can be pickled.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(target, arguments, sender), daemon=True)
    process.start()
    sender.close()  # or the end of the process would not end the messages
    try:
        yield receiver, process
    finally:
        receiver.close()
        process.kill()
        process.join(END_S)


def _run(target: Callable[..., None], arguments: tuple[Any, ...], sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    target(*arguments, sender)
