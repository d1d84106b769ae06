"""One run in its own process: `python -m benchmark.execution.worker SPEC.json --store ROOT`.

The process holds the run's lock, writes its output to the log of its attempt, and leaves a record. Its exit code is an
`ExitCode`: SUCCESS, FINISHED_WITH_FAILURES (the record has the reason), BUSY, SUPERSEDED, or, after a stop request and
a final checkpoint, INTERRUPTED.
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
from benchmark.execution.output import redirect_output
from benchmark.store.attempts import SupersededError
from benchmark.store.failures import record_failure
from benchmark.store.store import Store
from benchmark.utils.atomic_files import read_value
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.lock import BusyError, hold_lock

_log = logging.getLogger("worker")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one spec file and return the exit code.

    Args:
        arguments: Command-line arguments; None for those of this process.
    """
    options = _parse_options(arguments)
    spec, store = read_value(RunSpec, options.spec), Store(options.store)
    try:
        if options.assist:
            return _assist(spec, store, options)
        with hold_lock(store.run(spec.id).path):
            return _execute(spec, store, options)
    except BusyError:
        return ExitCode.BUSY
    except SupersededError as error:
        _log.warning("%s", error)
        return ExitCode.SUPERSEDED
    except KeyboardInterrupt:
        _log.info("interrupted")
        return ExitCode.INTERRUPTED


def install_signal_handlers() -> None:
    """Make SIGTERM, SIGINT and SIGUSR2 request a stop of this process at the next iteration boundary."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, lambda *_: interrupts.request_stop())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})  # the parent process has blocked it until now


def _parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run one spec file.")
    parser.add_argument("spec", type=Path, help="spec file of the run")
    parser.add_argument("--store", type=Path, required=True, help="directory of the runs")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    parser.add_argument("--workers", type=int, default=0, help="data-loading workers")
    parser.add_argument("--checkpoint-every", type=int, default=0, help="iterations between two checkpoints")
    parser.add_argument("--no-cost", action="store_true", help="do not measure the cost of the method")
    parser.add_argument("--code", default="", help="digest of the code that the run was submitted with")
    parser.add_argument("--assist", action="store_true", help="assist the first process of a shared run")
    return parser.parse_args(arguments)


def _execute(spec: RunSpec, store: Store, options: argparse.Namespace) -> int:
    run = store.run(spec.id)
    if run.read_state() is RunState.DONE:
        return ExitCode.SUCCESS
    redirect_output(run.next_attempt_path / "log.txt")
    _set_up_logging()
    _log.info("%s, attempt %d, process %d", spec.id, len(run.read_attempts()) + 1, os.getpid())
    if options.code and _fail_with_other_code(spec, store, options):
        return ExitCode.FINISHED_WITH_FAILURES
    from benchmark.execution.runner import execute
    from benchmark.execution.trackers.observer import track_run
    from benchmark.execution.trackers.tracker import TRACK_VARIABLE

    with track_run(run, spec, os.environ.get(TRACK_VARIABLE, "")) as observe:
        record = execute(
            spec,
            store=store,
            threads=options.threads,
            workers=options.workers,
            observe=observe,
            checkpoint_every=options.checkpoint_every,
            measures_cost=not options.no_cost,
        )
    _log.info("%s", record.state)
    return ExitCode.SUCCESS if record.state is RunState.DONE else ExitCode.FINISHED_WITH_FAILURES


def _fail_with_other_code(spec: RunSpec, store: Store, options: argparse.Namespace) -> bool:
    """Record a failure if the code of this process is not the code that the run was submitted with."""
    from benchmark.execution.submitted_code import explain_other_code

    failure = explain_other_code(spec, submitted=options.code)
    if failure is None:
        return False
    number = len(store.run(spec.id).read_attempts()) + 1
    record_failure(spec, failure, store=store, number=number, threads=options.threads)
    _log.error("%s", failure.message)
    return True


def _assist(spec: RunSpec, store: Store, options: argparse.Namespace) -> int:
    from benchmark.execution.runner import assist

    assist(spec, store=store, threads=options.threads, workers=options.workers)
    return ExitCode.SUCCESS


def _set_up_logging() -> None:
    """Log to the output of this process, and let crashes outside Python leave a traceback there."""
    faulthandler.enable()
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format="%(asctime)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
        force=True,
    )


if __name__ == "__main__":
    install_signal_handlers()
    sys.exit(main())
