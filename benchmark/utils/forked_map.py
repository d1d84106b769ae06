"""A map over many items in forked processes, with the results of a loop.

The processes are copies of this one, so that the function may be any and its items are not copied; results are pickled.
Whatever a process does not give, because it failed or was killed, is computed here: an error is raised as in a loop.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

from benchmark.utils.processes import count_cores

MAX_PROCESSES = 8
"""Largest number of processes, which leaves something of a login node to others."""
PARENT_TICK_S = 0.5
"""Seconds between two looks of a process at whether its parent is alive."""

Item = TypeVar("Item")
Result = TypeVar("Result")

_in_child: list[Callable[[int], list[Any]]] = []
"""In a forked process: the function that computes the batch of a number."""


def map_forked(function: Callable[[Item], Result], items: Sequence[Item], *, batch: int) -> list[Result]:
    """Return the results of a function for all items, in their order.

    The items are computed in a plain loop if they fill less than two batches, or if this process has one core or
    several threads, which a fork does not copy.

    Args:
        function: Function whose results can be pickled, and which changes nothing that is needed later.
        items: Items.
        batch: Number of items whose results are sent together; their time should be far above that of a fork, 10 ms.
    """
    processes = min(count_cores(), MAX_PROCESSES, len(items) // batch)
    if processes < 2 or not hasattr(os, "fork") or threading.active_count() > 1:
        return [function(item) for item in items]
    batches = [items[start : start + batch] for start in range(0, len(items), batch)]

    def compute(number: int) -> list[Result]:
        return [function(item) for item in batches[number]]

    # The function is forked with its items, and not pickled
    context, arguments = get_context("fork"), (compute, os.getpid())
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin_child, initargs=arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of libraries, which survive forks
            parts = [pool.submit(_compute_in_child, number) for number in range(len(batches))]
        return [result for number, part in enumerate(parts) for result in _wait(part, partial(compute, number))]
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_child(compute: Callable[[int], list[Any]], parent: int) -> None:
    _in_child.append(compute)
    gc.disable()  # a search for cycles would copy the memory of the parent, and this process ends soon
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of Ctrl-C, which the parent gets too and ends its processes
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process soon after its parent, which may be killed."""
    while os.getppid() == parent:
        time.sleep(PARENT_TICK_S)
    os._exit(1)


def _compute_in_child(number: int) -> list[Any]:
    return _in_child[-1](number)


def _wait(part: Future[list[Result]], compute: Callable[[], list[Result]]) -> list[Result]:
    """Return the results of a process; those that it cannot give are computed here."""
    try:
        return part.result()
    except Exception:  # of the function, of pickling, or because a process was killed
        return compute()
