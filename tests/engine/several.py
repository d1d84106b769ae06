"""A run that is spread over several processes, with the variables that SLURM would give them.

Each process is `python -m tests.engine.several ROOT EVENTS`, with the spec on its standard input.
"""

from __future__ import annotations

import json
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
from benchmark.engine import checkpoint, interrupts
from benchmark.engine.base import Progress
from benchmark.engine.place import Place, find_place
from benchmark.execution import runner
from benchmark.execution.runner import assist, execute
from benchmark.planning.resolve import build
from benchmark.store.store import Store
from benchmark.utils.paths import ROOT
from tests.engine.runs import fit

LEFT = 9
"""Exit code of a process that was left by another."""


class Events(TypedDict, total=False):
    """What happens after how many iterations.

    Keys:
        stop: the last process is asked to stop; then all go on.
        death: the first is killed.
        failure: the last one's losses fail.
    """

    stop: int
    death: int
    failure: int


def start(spec: RunSpec, root: Path, *, size: int = 2, **events: Unpack[Events]) -> list[int]:
    """Do a run in so many processes; their exit codes."""
    shared = os.environ | _variables(size)
    command = [sys.executable, "-m", "tests.engine.several", str(root), json.dumps(events)]
    processes = []
    for rank in range(size):
        variables = shared | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
        process = subprocess.Popen(command, env=variables, cwd=ROOT, stdin=subprocess.PIPE, text=True)
        assert process.stdin is not None
        with process.stdin as given:
            given.write(spec.canonical())
        processes.append(process)
    return [process.wait() for process in processes]


def _variables(size: int) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
    place = find_place(spec.budget.micro_batches, os.environ)
    if "stop" in events:
        _stop(spec, store, after=events["stop"], place=place)
    if "failure" in events and not place.is_first:
        _break(type(build(spec)), after=events["failure"])

    def observe(progress: Progress) -> None:
        if (progress.stage, progress.done) == ("train", events.get("death")):
            os.kill(os.getpid(), signal.SIGKILL)

    if place.is_first:
        execute(spec, store=store, observe=observe, checkpoint_every=2)
    else:
        assist(spec, store=store)


def _stop(spec: RunSpec, store: Store, *, after: int, place: Place) -> None:
    """Train until the last process is asked to stop: all of them do, and the first has saved."""
    store.write_spec(spec)
    path, is_last = store.checkpoint(spec.id), place.rank == place.size - 1
    try:
        fit(spec, path, run=spec.digest(), stop=after * is_last, how=interrupts.ask)
    except KeyboardInterrupt:
        assert checkpoint.read(path)["iteration"] == after
    else:
        raise AssertionError("it was not stopped")


def _break(kind: type[Method], *, after: int) -> None:
    good = kind.losses

    def losses(self: Method, batch: Batch) -> Losses:
        if self.step_context.iteration == after:
            raise ValueError(f"broken at iteration {after}")
        return good(self, batch)

    kind.losses = losses
    runner.LINGER_S = 0.0


if __name__ == "__main__":
    try:
        _main(Path(sys.argv[1]), json.loads(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(LEFT)
