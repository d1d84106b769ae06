"""Worker processes that are forked from a server, which imports torch once for all of them.

A worker then starts in a fraction of a second instead of several seconds, which matters for jobs with many short runs.
The server is the one of `multiprocessing`. The server computes nothing and touches no device, so a forked worker is
equivalent to a fresh process.
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
from pathlib import Path

from benchmark.execution.output import redirect_output
from benchmark.utils.lock import identify_process

SERVER_DIED = 255
"""Exit code that `multiprocessing` reports for a process whose server has died."""
POLL_S = 0.05


class ForkedWorker:
    """A worker that is forked from the server; it has the methods of `subprocess.Popen` that a pool needs.

    Args:
        arguments: Arguments of `benchmark.execution.worker`.
        environment: Environment variables of the process. Variables that libraries read when they are imported must
            already be set in the calling process, because the server inherits them at the first call.
        log: File that takes what the process prints; the output of the server if None.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], *, log: Path | None = None) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["benchmark.execution.forkserver_preload"])
        self._process: ForkServerProcess = context.Process(
            target=_run_worker, args=(tuple(arguments), dict(environment), log)
        )
        self._process.start()
        self._owner = identify_process(self.pid)

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid or 0

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while the process runs.

        The exit code is `SERVER_DIED` if the server died first, because only the server knew the exit code.
        """
        code = self._process.exitcode
        return None if code == SERVER_DIED and self._owner.is_alive else code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end and return its exit code.

        Args:
            timeout: Maximum number of seconds to wait; None to wait without a limit.

        Raises:
            subprocess.TimeoutExpired: The process still runs.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() >= until:
                raise subprocess.TimeoutExpired("benchmark.execution.worker", timeout or 0.0)
            time.sleep(POLL_S)
        return code

    def terminate(self) -> None:
        """Send SIGTERM to the process."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the process."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _run_worker(arguments: tuple[str, ...], environment: dict[str, str], log: Path | None) -> None:
    if log is not None:
        with suppress(OSError):  # the worker meets the same problem, and says which
            redirect_output(log)
    from benchmark.execution import worker

    os.environ.update(environment)
    worker.install_signal_handlers()
    sys.exit(worker.main(arguments))
