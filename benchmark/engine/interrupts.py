"""Requests to stop this process, handled at the next boundary between two iterations.

Signal handlers call `request_stop`. Work that can resume from a checkpoint runs within `defer_stop`, checks
`is_stop_requested` between two steps, saves, and raises KeyboardInterrupt. All other work is interrupted immediately.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SAME_EVENT_S = 5.0
"""Requests within this period count as one: a scheduler signals all processes of a job, and the pool signals again."""


@dataclass
class _StopRequests:
    """State of the stop requests of this process.

    Attributes:
        is_deferred: Whether requests wait for the next iteration boundary.
        first_s: Time of the oldest pending request on the monotonic clock; None if no request is pending.
    """

    is_deferred: bool = False
    first_s: float | None = None


_requests = _StopRequests()


def request_stop() -> None:
    """Request that this process stops; to be called by signal handlers.

    Raises:
        KeyboardInterrupt: No work defers the request, or an earlier request has not been handled.
    """
    now = time.monotonic()
    if not _requests.is_deferred or (_requests.first_s is not None and now - _requests.first_s > SAME_EVENT_S):
        raise KeyboardInterrupt
    if _requests.first_s is None:
        _requests.first_s = now


def is_stop_requested() -> bool:
    """Return whether a stop request is pending."""
    return _requests.first_s is not None


@contextmanager
def defer_stop() -> Iterator[None]:
    """Defer stop requests within the context; a request that is still pending at the end takes effect there.

    Raises:
        KeyboardInterrupt: A request is pending at the end of the context.
    """
    _requests.is_deferred = True
    try:
        yield
    finally:
        _requests.is_deferred = False  # before the check, so that a request in between raises and is not missed
        is_pending, _requests.first_s = is_stop_requested(), None
    if is_pending:
        raise KeyboardInterrupt
