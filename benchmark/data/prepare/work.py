"""Parallel conversion of many small files; each file is written completely or not at all, and no failure hides another.

A file that exists and is intact is not converted again, so the same call continues after an interruption.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import struct
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image

from benchmark.utils.atomic_files import open_draft

FILE_ENDS = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}
"""Last bytes of an intact file. A TIFF needs none: it ends with its pixels."""

QUEUED_PER_PROCESS = 4
"""Tasks that are submitted ahead per process, so that no process waits for its next task."""

OnConversionProgress = Callable[[int, int], None]
"""Called with the numbers of finished tasks and of all tasks."""


@dataclass(frozen=True)
class ConversionTask:
    """A file to be written.

    Attributes:
        source: Path of the original.
        result: Path of the result; its suffix decides the format.
        make: Function that returns the content, in any process. It raises ValueError, naming the file, if an original
            is missing or broken.
    """

    source: Path
    result: Path
    make: Callable[[], Image.Image]


@dataclass(frozen=True)
class ConversionResult:
    """Result of running tasks.

    Attributes:
        made: Number of files that were written.
        kept: Number of files that existed already.
        broken: One line per broken original, sorted.
    """

    made: int
    kept: int
    broken: tuple[str, ...]


class _TaskResult(NamedTuple):
    state: Literal["made", "kept", "broken"]
    error: str = ""


def run_tasks(
    tasks: Sequence[ConversionTask],
    *,
    jobs: int,
    on_progress: OnConversionProgress = lambda done, total: None,
) -> ConversionResult:
    """Write every file that does not exist yet.

    Args:
        tasks: Tasks in the order in which they start.
        jobs: Number of worker processes; 0 works in this process.
        on_progress: Called after every task.

    Raises:
        OSError: A file cannot be written; no further task is started.
        KeyboardInterrupt: Interrupted; files in progress are completed first.
    """
    results = []
    with closing(_run_in_processes(tasks, jobs) if jobs else _run_here(tasks)) as finished:
        for result in finished:
            results.append(result)
            on_progress(len(results), len(tasks))
    states = [result.state for result in results]
    broken = {result.error for result in results if result.state == "broken"}
    return ConversionResult(states.count("made"), states.count("kept"), tuple(sorted(broken)))


def is_intact(path: Path) -> bool:
    """Return whether an image exists, can be decoded, and has its end, which Pillow does not require."""
    if not path.is_file():
        return False
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, struct.error):
        return False
    return content.endswith(FILE_ENDS.get(path.suffix, b""))


def _run_task(task: ConversionTask) -> _TaskResult:
    if is_intact(task.result):
        return _TaskResult("kept")
    try:
        image = task.make()
    except ValueError as error:
        return _TaskResult("broken", str(error))
    with open_draft(task.result) as draft:
        image.save(draft)
    return _TaskResult("made")


def _run_here(tasks: Sequence[ConversionTask]) -> Generator[_TaskResult, None, None]:
    yield from map(_run_task, tasks)


def _run_in_processes(tasks: Sequence[ConversionTask], jobs: int) -> Generator[_TaskResult, None, None]:
    waiting = deque(tasks)
    while waiting:
        yield from _run_until_crash(waiting, jobs)


def _run_until_crash(waiting: deque[ConversionTask], jobs: int) -> Iterator[_TaskResult]:
    """Run tasks in one pool until all are done, or until one of its processes dies and breaks the pool."""
    pool = _start_pool(jobs)
    running: dict[Future[_TaskResult], ConversionTask] = {}
    try:
        while waiting or running:
            while waiting and len(running) < QUEUED_PER_PROCESS * jobs:
                running[_submit(pool, waiting[0])] = waiting[0]
                waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield future.result()
                del running[future]
    except BrokenProcessPool:
        yield from _run_one_by_one(deque(running.values()))
    finally:
        pool.shutdown(cancel_futures=True)


def _run_one_by_one(tasks: deque[ConversionTask]) -> Iterator[_TaskResult]:
    """Run the unfinished tasks of a broken pool in a single process, so that a crash identifies its task."""
    while tasks:
        with _start_pool(1) as pool:
            try:
                while tasks:
                    yield _submit(pool, tasks[0]).result()
                    tasks.popleft()
            except BrokenProcessPool:
                source = tasks.popleft().source
                yield _TaskResult("broken", f"{source} crashes the process that reads it; copy or download it again")


def _start_pool(jobs: int) -> ProcessPoolExecutor:
    # "spawn", not the default of Linux: a forked process inherits locks, but not the threads that hold them
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_watch_parent)


def _submit(pool: ProcessPoolExecutor, task: ConversionTask) -> Future[_TaskResult]:
    """Submit a task; this may start a process.

    Ctrl-C reaches all processes of a terminal, and worker processes leave its handling to the parent. They start with
    the signal blocked, because they could not ignore it before their imports are done.
    """
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_run_task, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


def _watch_parent() -> None:
    """Make this process end when its parent ends, even if the parent was killed."""
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
