"""Execution of resolved runs: in this process, in a worker process, or in a pool of workers."""
