"""One run in a process of its own: `python -m benchmark.execution.worker SPEC.json --store ROOT`.

It holds the run's lock, writes its output into the log of its attempt, and leaves a record. It ends with 0 when the run
is done, with 3 when it failed and says why in a record, with `BUSY` when another process works on the run, with
`SUPERSEDED` when another took it over, with `TOLD` when a signal told it to end: training is saved first then.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.core.run_spec import RunSpec
from benchmark.engine import interrupts
from benchmark.store.attempts import Superseded
from benchmark.store.failures import BUSY, SUPERSEDED, TOLD
from benchmark.store.store import Store
from benchmark.utils.atomic_files import read_value
from benchmark.utils.lock import Busy, holding

FAILED = 3

_log = logging.getLogger("worker")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one spec; returns the exit code."""
    parser = argparse.ArgumentParser(description="Run one spec file.")
    parser.add_argument("spec", type=Path)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--checkpoint-every", type=int, default=0)
    parser.add_argument("--assist", action="store_true", help="take a part in a run that another process records")
    given = parser.parse_args(arguments)
    spec, store = read_value(RunSpec, given.spec), Store(given.store)
    try:
        if given.assist:
            return _assist(spec, store, given)
        with holding(store.folder(spec.id)):
            return _run(spec, store, given)
    except Busy:
        return BUSY
    except Superseded as error:
        _log.warning("%s", error)
        return SUPERSEDED
    except KeyboardInterrupt:
        _log.info("told to end")
        return TOLD


def _run(spec: RunSpec, store: Store, given: argparse.Namespace) -> int:
    if store.state(spec.id) == "done":
        return 0
    _write_output_to(store.upcoming(spec.id) / "log.txt")
    _log.info("%s, attempt %d, process %d", spec.id, len(store.attempts(spec.id)) + 1, os.getpid())
    from benchmark.execution.runner import execute

    record = execute(
        spec, store=store, threads=given.threads, workers=given.workers, checkpoint_every=given.checkpoint_every
    )
    _log.info("%s", record.state)
    return 0 if record.state == "done" else FAILED


def _assist(spec: RunSpec, store: Store, given: argparse.Namespace) -> int:
    from benchmark.execution.runner import assist

    assist(spec, store=store, threads=given.threads, workers=given.workers)
    return 0


def _write_output_to(log: Path) -> None:
    """Send all that this process writes, also from outside Python, to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    faulthandler.enable()
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format="%(asctime)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
        force=True,
    )


def listen() -> None:
    """From now on signals ask this process to end where nothing is lost."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, lambda *_: interrupts.ask())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})  # held back by whoever started this process until now


if __name__ == "__main__":
    listen()
    sys.exit(main())
