"""Worker processes that start warm: a server imports torch once and forks a process for every run.

A start takes a fraction of a second then, not several, which counts where a job has many short runs. The server is that
of `multiprocessing`. It computes nothing and touches no device, so that its children are what fresh processes are.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.context import ForkServerProcess

from benchmark.utils import lock

LOST = 255
"""What `multiprocessing` says of a process whose server has died."""
WAIT_S = 0.05


class WarmProcess:
    """A worker that is forked from the server; as much of `subprocess.Popen` as a pool needs.

    Args:
        arguments: of `benchmark.execution.worker`.
        environment: variables of the process. Those that libraries read when they are loaded must be those of the
            process that calls, whose server inherits them at the first call.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["benchmark.execution.forkserver_preload"])
        self._process: ForkServerProcess = context.Process(target=_work, args=(tuple(arguments), dict(environment)))
        self._process.start()
        self._owner = lock.process(self.pid)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid or 0

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs. `LOST` where only its server knew."""
        code = self._process.exitcode
        return None if code == LOST and self._owner.is_alive else code

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once there is one. Raises TimeoutExpired where there is none in time."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() >= until:
                raise subprocess.TimeoutExpired("benchmark.execution.worker", timeout or 0.0)
            time.sleep(WAIT_S)
        return code

    def terminate(self) -> None:
        """Tell it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _work(arguments: tuple[str, ...], environment: dict[str, str]) -> None:
    from benchmark.execution import worker

    os.environ.update(environment)
    worker.listen()
    sys.exit(worker.main(arguments))
