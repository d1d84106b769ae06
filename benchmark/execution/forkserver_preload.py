"""Imports of the server of `benchmark.execution.forkserver`: everything that a run of any method needs.

The server ignores the signals by which a scheduler warns all processes of a job. If the server ended, the exit codes of
its workers would be lost.
"""

import signal

import benchmark.engine.fabric
import benchmark.execution.runner
import benchmark.execution.worker
from benchmark.core.full_size_scores import load_kernels

for _number in (signal.SIGTERM, signal.SIGUSR2):
    signal.signal(_number, signal.SIG_IGN)

load_kernels()  # half a second of processor time, which every worker would need for its evaluation

__all__ = ["benchmark"]
