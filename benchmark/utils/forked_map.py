"""A map over many items in forked processes, with the results of a loop.

The processes are copies of this one, so that the function may be any and its items are not copied; results are pickled.
Whatever a process does not give, because it failed or was killed, is computed here: an error is raised as in a loop.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, TypeVar

from benchmark.utils.processes import count_cores

MAX_PROCESSES = 8
"""Largest number of processes, which leaves something of a login node to others."""
MAX_BATCHES = 8192
"""Largest number of batches, whose numbers fit into a pipe."""
NUMBER_BYTES = 4
"""Bytes of the number of a batch."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_forked(function: Callable[[Item], Result], items: Sequence[Item], *, batch: int) -> list[Result]:
    """Return the results of a function for all items, in their order.

    The items are computed in a plain loop if they fill less than two batches, or if this process has one core or
    several threads, which a fork does not copy.

    Args:
        function: Function whose results can be pickled, and which changes nothing that is needed later.
        items: Items.
        batch: Number of items whose results are sent together; their time should be far above that of a fork, 10 ms.
    """
    batch = max(batch, -(-len(items) // MAX_BATCHES))
    batches = [items[start : start + batch] for start in range(0, len(items), batch)]
    processes = min(count_cores(), MAX_PROCESSES, len(items) // batch)
    results: dict[int, list[Result]] = {}
    if processes > 1 and hasattr(os, "fork") and threading.active_count() == 1:
        with _fork(function, batches, processes=processes) as pipes:
            results.update(_receive(pipes))
    for number, some in enumerate(batches):
        if number not in results:
            results[number] = [function(item) for item in some]
    return [result for number in range(len(batches)) for result in results[number]]


@contextmanager
def _fork(
    function: Callable[[Item], Result], batches: Sequence[Sequence[Item]], *, processes: int
) -> Iterator[list[Connection]]:
    """Start processes that take one batch after another, yield the pipe of each, and end the processes."""
    children: dict[int, Connection] = {}
    queue = _open_queue(len(batches))
    try:
        for _ in range(processes):
            pipe, child_pipe = Pipe(duplex=False)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # threads of libraries, which survive forks
                pid = os.fork()
            if pid == 0:
                _compute_and_exit(function, batches, queue=queue, pipe=child_pipe)
            child_pipe.close()
            children[pid] = pipe
        yield list(children.values())
    finally:
        os.close(queue)
        for pid, pipe in children.items():
            pipe.close()
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _open_queue(length: int) -> int:
    """Return the end of a pipe from which each of several processes may read the next number below a length."""
    reading, writing = os.pipe()
    os.write(writing, b"".join(number.to_bytes(NUMBER_BYTES, "little") for number in range(length)))
    os.close(writing)
    return reading


def _compute_and_exit(
    function: Callable[[Item], Result], batches: Sequence[Sequence[Item]], *, queue: int, pipe: Connection
) -> None:
    """Send the results of batches until none is left, and end this process without what its parent does at its end."""
    try:
        gc.disable()  # a search for cycles would copy the memory of the parent, and this process ends soon
        while number := os.read(queue, NUMBER_BYTES):
            at = int.from_bytes(number, "little")
            pipe.send_bytes(pickle.dumps((at, [function(item) for item in batches[at]]), protocol=5))
        os._exit(0)
    except BaseException:
        os._exit(1)  # the parent computes the rest and meets the same error


def _receive(pipes: Sequence[Connection]) -> Iterator[tuple[int, list[Any]]]:
    """Yield number and results of every batch that arrives."""
    open_pipes = list(pipes)
    while open_pipes:
        for ready in wait(open_pipes):
            assert isinstance(ready, Connection)
            try:
                content = ready.recv_bytes()
            except (EOFError, OSError):
                open_pipes.remove(ready)
                continue
            yield pickle.loads(content)
