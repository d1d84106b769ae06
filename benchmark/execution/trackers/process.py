"""The process of a run's trackers: `python -m benchmark.execution.trackers.process RUN --track NAMES`.

It reads lines of JSON from stdin, {"iteration": 3, "values": {"loss/x": 1.0}}, until the process of the run closes it
or ends, and then finds state and scores in the run's record. What a tracker raises is one line in the log of the run,
and that tracker gets nothing more.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.evaluation.scores import DATASET_METRICS, Convention, score
from benchmark.execution.trackers.tracker import KINDS, Tracker, parse_names
from benchmark.store.run_folder import RunFolder

CONVENTION: Convention = "d2-main"


def main(arguments: Sequence[str] | None = None) -> None:
    """Track one attempt at a run.

    Args:
        arguments: Command-line arguments; None for those of this process.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # the end of the run's process is the end of this one
    parser = argparse.ArgumentParser(description="Track one attempt at a run.")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--track", type=parse_names, required=True, help="names of trackers")
    options = parser.parse_args(arguments)
    track(RunFolder(options.run), options.track, sys.stdin)


def track(run: RunFolder, names: Sequence[str], lines: Iterable[str]) -> None:
    """Pass lines on to trackers, then the result of the run.

    Args:
        run: Folder of the run.
        names: Names of trackers.
        lines: Lines of JSON; broken ones are left out.
    """
    spec = run.read_spec()
    trackers = _Trackers(run, spec, names)
    for line in lines:
        try:
            entry = json.loads(line)
            iteration, values = int(entry["iteration"]), _keep_finite(entry["values"])
        except (ValueError, KeyError, TypeError):
            continue
        trackers.log(iteration, values)
    trackers.finish(*_read_result(run), iterations=spec.budget.iterations)


class _Trackers:
    """Open trackers, without those that raised."""

    def __init__(self, run: RunFolder, spec: RunSpec, names: Sequence[str]) -> None:
        self._open: dict[str, Tracker] = {}
        for name in names:
            try:
                self._open[name] = KINDS[name].open(run, spec)
            except Exception as error:
                _note(name, error)

    def log(self, iteration: int, values: Mapping[str, float]) -> None:
        self._call(lambda tracker: tracker.log(iteration, values))

    def finish(self, state: RunState, scores: Mapping[str, float], *, iterations: int) -> None:
        self._call(lambda tracker: tracker.finish(state, scores, iterations=iterations))

    def _call(self, use: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._open.items()):
            try:
                use(tracker)
            except Exception as error:
                del self._open[name]
                _note(name, error)


def _note(name: str, error: Exception) -> None:
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    sys.stdout.write(f"tracker {name} is off, the run goes on: {reason}\n")
    sys.stdout.flush()


def _keep_finite(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)}


def _read_result(run: RunFolder) -> tuple[RunState, dict[str, float]]:
    """Return the state in which this attempt ended, and the scores of a run that is done."""
    snapshot = run.read_snapshot()
    if snapshot.state is RunState.DONE:
        scores = score(run.read_counts(snapshot.record), CONVENTION)
        return RunState.DONE, _keep_finite({metric: getattr(scores, metric) for metric in DATASET_METRICS})
    return RunState.FAILED if snapshot.state is RunState.FAILED else RunState.INTERRUPTED, {}


if __name__ == "__main__":
    main()
