"""Imports of the server of `benchmark.execution.forkserver`: everything that a run of any method needs.

The server ignores the signals by which a scheduler warns all processes of a job. If the server ended, the exit codes of
its workers would be lost.
"""

import signal

import benchmark.engine.fabric
import benchmark.execution.runner
import benchmark.execution.worker

for _number in (signal.SIGTERM, signal.SIGUSR2):
    signal.signal(_number, signal.SIG_IGN)

__all__ = ["benchmark"]
