"""A request to end, answered where nothing is lost: at the next boundary between two iterations.

Signal handlers call `ask`. Work that can go on from a checkpoint runs within `deferring`, looks at `is_asked` between
two steps, saves and raises KeyboardInterrupt. Everything else is interrupted at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

TOGETHER_S = 5.0
"""Requests this close together are one: a scheduler warns all processes of a job, and the pool passes it on."""


@dataclass
class _Requests:
    """Of this process. `first` is when the one that waits for its answer came, None without any."""

    is_deferred: bool = False
    first: float | None = None


_requests = _Requests()


def ask() -> None:
    """Ask this process to end; to be called by signal handlers.

    Raises:
        KeyboardInterrupt: nothing defers the answer, or it was asked before and did not end.
    """
    now = time.monotonic()
    if not _requests.is_deferred or (_requests.first is not None and now - _requests.first > TOGETHER_S):
        raise KeyboardInterrupt
    if _requests.first is None:
        _requests.first = now


def is_asked() -> bool:
    """Whether a request waits for its answer."""
    return _requests.first is not None


@contextmanager
def deferring() -> Iterator[None]:
    """Requests wait for an answer meanwhile; one that nobody answered is answered on leaving.

    Raises:
        KeyboardInterrupt: on leaving, where one waits.
    """
    _requests.is_deferred = True
    try:
        yield
    finally:
        _requests.is_deferred = False  # first, so that no request can come unseen after the look at it
        is_unanswered, _requests.first = is_asked(), None
    if is_unanswered:
        raise KeyboardInterrupt
