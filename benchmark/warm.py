"""Worker processes that start warm: a server imports torch once and forks a process for every run.

A start takes a fraction of a second then, not several, which counts where a job has many short runs. The server is that
of `multiprocessing`. It computes nothing and touches no device, so that its children are what fresh processes are.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess


class WarmProcess:
    """A worker that is forked from the server; as much of `subprocess.Popen` as a pool needs.

    Args:
        arguments: of `benchmark.worker`.
        environment: variables of the process. Those that libraries read when they are loaded must be those of the
            process that calls, whose server inherits them at the first call.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["benchmark.warm_server"])
        self._process: ForkServerProcess = context.Process(target=_work, args=(tuple(arguments), dict(environment)))
        self._process.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid or 0

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once there is one. Raises TimeoutExpired where there is none in time."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("benchmark.worker", timeout or 0.0)
        return code

    def terminate(self) -> None:
        """Tell it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it."""
        self._process.kill()


def _work(arguments: tuple[str, ...], environment: dict[str, str]) -> None:
    from benchmark import worker

    os.environ.update(environment)
    worker.listen()
    sys.exit(worker.main(arguments))
