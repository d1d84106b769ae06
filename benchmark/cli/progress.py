"""Progress of a pool of runs: a live view in a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmark.cli.console import format_losses, print_note
from benchmark.core.run_state import RunState
from benchmark.utils.durations import format_duration
from benchmark.utils.plain_text import escape_controls

if TYPE_CHECKING:
    from rich.table import Table

    from benchmark.execution.local_pool import PoolObserver, PoolSnapshot, RunOutcome

LINES_EVERY_S = 15.0


@contextmanager
def show_progress(labels: Mapping[str, str]) -> Iterator[PoolObserver]:
    """Yield an observer for `run_all` that shows the progress of its runs.

    Args:
        labels: Names to show for the runs, by id.
    """
    if not sys.stderr.isatty():
        yield _LineWatcher(labels)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False)
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        finished = _FinishedLines(labels)

        def observe(snapshot: PoolSnapshot) -> None:
            for line in finished.take_new(snapshot):
                console.print(escape_controls(line), markup=False)
            live.update(_make_table(snapshot, labels))

        yield observe


class _FinishedLines:
    """Lines about the runs that finished since the last call."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._shown: set[str] = set()

    def take_new(self, snapshot: PoolSnapshot) -> list[str]:
        """Return one line for each run that has finished since the last call."""
        new = {run_id: outcome for run_id, outcome in snapshot.outcomes.items() if run_id not in self._shown}
        total = len(snapshot.waiting) + len(snapshot.running) + len(snapshot.outcomes)
        lines = [
            f"[{number}/{total}] {_format_outcome(self._labels.get(run_id, run_id), outcome)}"
            for number, (run_id, outcome) in enumerate(new.items(), start=len(self._shown) + 1)
        ]
        self._shown |= set(new)
        return lines


class _LineWatcher:
    """Observer for logs: prints finished runs at once, and the progress of running ones at intervals."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._finished = _FinishedLines(labels)
        self._next = time.monotonic() + LINES_EVERY_S

    def __call__(self, snapshot: PoolSnapshot) -> None:
        for line in self._finished.take_new(snapshot):
            print_note(line)
        if time.monotonic() >= self._next and snapshot.running:
            self._next = time.monotonic() + LINES_EVERY_S
            for run_id, beat in snapshot.running.items():
                print_note(f"  {self._labels.get(run_id, run_id)}: {format_progress(beat)}")


def format_progress(beat: Mapping[str, Any] | None) -> str:
    """Return the progress of a run in a line: stage, steps, time left, latest losses."""
    from benchmark.store.progress import estimate_seconds_left

    if beat is None:
        return "starting"
    stage, done, total = beat.get("stage", ""), beat.get("done", 0), beat.get("total", 0)
    left = estimate_seconds_left(beat)
    words = [f"{stage} {done}/{total}" if total else str(stage)]
    words += [f"{format_duration(left)} left"] if left is not None and done < total else []
    words += [format_losses(beat.get("losses"))] if beat.get("losses") else []
    return ", ".join(words)


def _format_outcome(label: str, outcome: RunOutcome) -> str:
    if outcome.state is RunState.RUNNING:
        return f"skipped {label}: running in another process"
    if outcome.state is RunState.BROKEN:  # its files cannot be used: its state is what it was before
        return f"not started {label}: {outcome.message}"
    return f"{outcome.state:<6} {label}" + (f": {outcome.message}" if outcome.message else "")


def _make_table(snapshot: PoolSnapshot, labels: Mapping[str, str]) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for run_id, beat in snapshot.running.items():
        done, total = (beat or {}).get("done", 0), (beat or {}).get("total", 0)
        bar = ProgressBar(total=total or None, completed=done, width=20, pulse=not total)
        table.add_row(Text(labels.get(run_id, run_id)), bar, Text(format_progress(beat), style="dim"))
    failed = sum(outcome.state is RunState.FAILED for outcome in snapshot.outcomes.values())
    words = f"{len(snapshot.outcomes)} finished" + (f" ({failed} failed)" if failed else "")
    table.add_row(Text(f"{words}, {len(snapshot.running)} running, {len(snapshot.waiting)} waiting", style="bold"))
    return table
