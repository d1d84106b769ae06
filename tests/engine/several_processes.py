"""A run that is shared by several processes, with the variables that SLURM would set.

Each process is `python -m tests.engine.several_processes ROOT EVENTS`, with the spec on its standard input.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TypedDict, Unpack

from benchmark.core.method import Method
from benchmark.core.run_spec import RunSpec
from benchmark.core.types import Batch, Losses
from benchmark.engine import interrupts, partial_counts
from benchmark.engine.base import Progress
from benchmark.engine.checkpoint import read_checkpoint
from benchmark.engine.distributed import Rank, find_rank
from benchmark.engine.partial_counts import PartialCounts
from benchmark.evaluation.counter import Counter
from benchmark.execution import runner
from benchmark.execution.runner import assist, execute
from benchmark.planning.resolve import build
from benchmark.store.store import Store
from benchmark.utils.paths import ROOT
from tests.engine.runs import fit

INTERRUPTED = 9
"""Exit code of a process that was interrupted because another one has ended."""


class Events(TypedDict, total=False):
    """Iterations after which something happens.

    Keys:
        stop: The last process receives a stop request; then all resume.
        death: The first process is killed.
        failure: The losses of the last process fail.
        evaluated: Images of the evaluation after which every process is killed.
    """

    stop: int
    death: int
    failure: int
    evaluated: int


def run_processes(spec: RunSpec, root: Path, *, size: int = 2, **events: Unpack[Events]) -> list[int]:
    """Run a spec in several processes and return their exit codes in the order of the ranks."""
    shared = os.environ | _make_variables(size)
    command = [sys.executable, "-m", "tests.engine.several_processes", str(root), json.dumps(events)]
    processes = []
    for index in range(size):
        variables = shared | {"SLURM_PROCID": str(index), "SLURM_LOCALID": str(index)}
        process = subprocess.Popen(command, env=variables, cwd=ROOT, stdin=subprocess.PIPE, text=True)
        assert process.stdin is not None
        with process.stdin as stdin:
            stdin.write(spec.canonical())
        processes.append(process)
    return [process.wait() for process in processes]


def _make_variables(size: int) -> dict[str, str]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    return {
        "MASTER_PORT": str(port),
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NAME": "test",
        "SLURM_NNODES": "1",
        "SLURM_NODEID": "0",
        "SLURM_NODELIST": "n1",
        "SLURM_NTASKS": str(size),
        "SLURM_NTASKS_PER_NODE": str(size),
        "SLURM_STEP_ID": "0",
    }


def _main(root: Path, events: Events) -> None:
    spec, store = RunSpec.model_validate_json(sys.stdin.read()), Store(root)
    rank = find_rank(spec.budget.micro_batches, os.environ)
    if "stop" in events:
        _train_until_stopped(spec, store, iteration=events["stop"], rank=rank)
    if "failure" in events and not rank.is_first:
        _break_losses(type(build(spec)), iteration=events["failure"])
    if "evaluated" in events:
        _kill_evaluation(images=events["evaluated"])

    def observe(progress: Progress) -> None:
        if (progress.stage, progress.done) == ("train", events.get("death")):
            os.kill(os.getpid(), signal.SIGKILL)

    if rank.is_first:
        execute(spec, store=store, observe=observe, checkpoint_every=2)
    else:
        assist(spec, store=store)


def _train_until_stopped(spec: RunSpec, store: Store, *, iteration: int, rank: Rank) -> None:
    """Train until the last process receives a stop request: all processes stop after the first one has saved."""
    store.run(spec.id).write_spec(spec)
    path, is_last = store.run(spec.id).checkpoint_path, rank.index == rank.size - 1
    try:
        fit(spec, path, run=spec.digest(), stop_after=iteration * is_last, stop=interrupts.request_stop)
    except KeyboardInterrupt:
        assert read_checkpoint(path)["iteration"] == iteration
    else:
        raise AssertionError("training was not stopped")


def _break_losses(method_class: type[Method], *, iteration: int) -> None:
    original = method_class.losses

    def losses(self: Method, batch: Batch) -> Losses:
        if self.step_context.iteration == iteration:
            raise ValueError(f"broken at iteration {iteration}")
        return original(self, batch)

    method_class.losses = losses
    runner.FAILURE_DELAY_S = 0.0


def _kill_evaluation(*, images: int) -> None:
    """Let every image be saved, and kill this process after a number of them."""
    partial_counts.MIN_INTERVAL_S, partial_counts.MAX_COST_SHARE = 0.0, math.inf
    original, numbers = PartialCounts.update, itertools.count(1)

    def update(self: PartialCounts, counter: Counter, *, is_last: bool) -> None:
        original(self, counter, is_last=is_last)
        if next(numbers) == images:
            os.kill(os.getpid(), signal.SIGKILL)

    PartialCounts.update = update


if __name__ == "__main__":
    try:
        _main(Path(sys.argv[1]), json.loads(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
