"""Many small files made from others: by several processes, each file whole or absent, and no failure hides another.

A file that is there and whole is not made again, so the same call goes on from where it was interrupted.
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

from benchmark.utils.atomic_files import draft_of

ENDS = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}
"""Last bytes of a whole file. Where a TIFF ends, its pixels do."""

AHEAD = 4
"""Tasks that are handed out per process, so that none waits for its next."""

Observe = Callable[[int, int], None]
"""Called with the tasks done and their total."""


@dataclass(frozen=True)
class Task:
    """A file to be made.

    Attributes:
        source: the original.
        result: where the file goes; its ending is its format.
        make: makes its content, in any process. Raises ValueError, naming the file, where an original is missing or
            broken.
    """

    source: Path
    result: Path
    make: Callable[[], Image.Image]


@dataclass(frozen=True)
class Outcome:
    """How the tasks ended.

    Attributes:
        made: files that were written.
        kept: files that were there already.
        broken: one line for every original at fault, sorted.
    """

    made: int
    kept: int
    broken: tuple[str, ...]


class _Ending(NamedTuple):
    state: Literal["made", "kept", "broken"]
    complaint: str = ""


def run_tasks(tasks: Sequence[Task], *, jobs: int, observe: Observe = lambda done, total: None) -> Outcome:
    """Make every file that is not there yet.

    Args:
        tasks: in the order in which they begin.
        jobs: processes at a time; 0 works in this one.
        observe: told after every task.

    Raises:
        OSError: a file cannot be written; nothing is begun after it.
        KeyboardInterrupt: interrupted; files that were being made are finished first.
    """
    endings = []
    with closing(_in_processes(tasks, jobs) if jobs else _here(tasks)) as ended:
        for ending in ended:
            endings.append(ending)
            observe(len(endings), len(tasks))
    states = [ending.state for ending in endings]
    broken = {ending.complaint for ending in endings if ending.state == "broken"}
    return Outcome(states.count("made"), states.count("kept"), tuple(sorted(broken)))


def is_whole(path: Path) -> bool:
    """Whether an image lies there, can be decoded, and has its end, which Pillow can do without."""
    if not path.is_file():
        return False
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, struct.error):
        return False
    return content.endswith(ENDS.get(path.suffix, b""))


def _work(task: Task) -> _Ending:
    if is_whole(task.result):
        return _Ending("kept")
    try:
        image = task.make()
    except ValueError as error:
        return _Ending("broken", str(error))
    with draft_of(task.result) as draft:
        image.save(draft)
    return _Ending("made")


def _here(tasks: Sequence[Task]) -> Generator[_Ending, None, None]:
    yield from map(_work, tasks)


def _in_processes(tasks: Sequence[Task], jobs: int) -> Generator[_Ending, None, None]:
    waiting = deque(tasks)
    while waiting:
        yield from _until_one_dies(waiting, jobs)


def _until_one_dies(waiting: deque[Task], jobs: int) -> Iterator[_Ending]:
    """Work with one pool until nothing waits, or until a process of it dies and takes the pool with it."""
    pool = _pool(jobs)
    running: dict[Future[_Ending], Task] = {}
    try:
        while waiting or running:
            while waiting and len(running) < AHEAD * jobs:
                running[_submit(pool, waiting[0])] = waiting[0]
                waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield future.result()
                del running[future]
    except BrokenProcessPool:
        yield from _one_by_one(deque(running.values()))
    finally:
        pool.shutdown(cancel_futures=True)


def _one_by_one(tasks: deque[Task]) -> Iterator[_Ending]:
    """Those that were under way when a pool broke: where there is one process, it is known what kills it."""
    while tasks:
        with _pool(1) as pool:
            try:
                while tasks:
                    yield _submit(pool, tasks[0]).result()
                    tasks.popleft()
            except BrokenProcessPool:
                source = tasks.popleft().source
                yield _Ending("broken", f"{source} ends the process that reads it; copy or download it again")


def _pool(jobs: int) -> ProcessPoolExecutor:
    # ours, not the default of Linux: a fork copies the locks of threads that it does not copy
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_watch_parent)


def _submit(pool: ProcessPoolExecutor, task: Task) -> Future[_Ending]:
    """Hand out a task, and start a process if need be.

    Ctrl-C reaches all processes of a terminal, and these leave it to the parent. They are born with the signal blocked,
    because they could not set it aside before their imports are done.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_work, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch_parent() -> None:
    """Have this process end when its parent does, even if that was killed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
