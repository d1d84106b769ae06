"""What the server of `benchmark.execution.forkserver` imports, and nothing else does: whatever the run of any method needs.

A scheduler warns every process of a job. The server goes on, or nobody would see how its children end.
"""

import signal

import benchmark.engine.fabric
import benchmark.execution.runner
import benchmark.execution.worker

for _number in (signal.SIGTERM, signal.SIGUSR2):
    signal.signal(_number, signal.SIG_IGN)

__all__ = ["benchmark"]
