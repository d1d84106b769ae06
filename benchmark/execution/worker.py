"""One run in a process of its own: `python -m benchmark.execution.worker SPEC.json --store ROOT`.

It holds the run's lock, writes its output into the log of its attempt, and leaves a record. Its exit code is an
`ExitCode`: SUCCESS, FINISHED_WITH_FAILURES (the record says why), BUSY, SUPERSEDED, or INTERRUPTED, after it has saved a
checkpoint.
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
from benchmark.core.run_state import RunState
from benchmark.engine import interrupts
from benchmark.store.attempts import SupersededError
from benchmark.store.store import Store
from benchmark.utils.atomic_files import read_value
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.lock import BusyError, holding

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
        with holding(store.run(spec.id).path):
            return _run(spec, store, given)
    except BusyError:
        return ExitCode.BUSY
    except SupersededError as error:
        _log.warning("%s", error)
        return ExitCode.SUPERSEDED
    except KeyboardInterrupt:
        _log.info("interrupted")
        return ExitCode.INTERRUPTED


def _run(spec: RunSpec, store: Store, given: argparse.Namespace) -> int:
    run = store.run(spec.id)
    if run.read_state() is RunState.DONE:
        return ExitCode.SUCCESS
    _write_output_to(run.next_attempt_path / "log.txt")
    _log.info("%s, attempt %d, process %d", spec.id, len(run.read_attempts()) + 1, os.getpid())
    from benchmark.execution.runner import execute

    record = execute(
        spec, store=store, threads=given.threads, workers=given.workers, checkpoint_every=given.checkpoint_every
    )
    _log.info("%s", record.state)
    return ExitCode.SUCCESS if record.state is RunState.DONE else ExitCode.FINISHED_WITH_FAILURES


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
        signal.signal(number, lambda *_: interrupts.request_stop())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})  # held back by whoever started this process until now


if __name__ == "__main__":
    listen()
    sys.exit(main())
