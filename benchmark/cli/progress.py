"""What a pool of runs looks like while it works: a live view in a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmark.cli.console import format_duration, format_losses, print_note

if TYPE_CHECKING:
    from rich.table import Table

    from benchmark.execution.local_pool import Outcome, Snapshot, Watcher

LINES_EVERY_S = 15.0


@contextmanager
def watching(labels: Mapping[str, str]) -> Iterator[Watcher]:
    """Something to give to `run_all` as its observer.

    Args:
        labels: what to call the runs, by id.
    """
    if not sys.stderr.isatty():
        yield _Lines(labels)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False)
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        lines = _Endings(labels)

        def watch(snapshot: Snapshot) -> None:
            for line in lines.new(snapshot):
                console.print(line, markup=False)
            live.update(_table(snapshot, labels))

        yield watch


class _Endings:
    """Lines on runs that ended since the last look."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._told: set[str] = set()

    def new(self, snapshot: Snapshot) -> list[str]:
        ended = {run_id: outcome for run_id, outcome in snapshot.outcomes.items() if run_id not in self._told}
        self._told |= set(ended)
        total = len(snapshot.waiting) + len(snapshot.running) + len(snapshot.outcomes)
        before = len(self._told) - len(ended)
        return [
            f"[{before + at}/{total}] {_ending(self._labels.get(run_id, run_id), outcome)}"
            for at, (run_id, outcome) in enumerate(ended.items(), start=1)
        ]


class _Lines:
    """For logs: endings at once, and where everything stands every now and then."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._endings = _Endings(labels)
        self._next = time.monotonic() + LINES_EVERY_S

    def __call__(self, snapshot: Snapshot) -> None:
        for line in self._endings.new(snapshot):
            print_note(line)
        if time.monotonic() >= self._next and snapshot.running:
            self._next = time.monotonic() + LINES_EVERY_S
            for run_id, beat in snapshot.running.items():
                print_note(f"  {self._labels.get(run_id, run_id)}: {where(beat)}")


def where(beat: Mapping[str, Any] | None) -> str:
    """Where a run stands, in words: stage, how far, how long still, latest losses."""
    from benchmark.store.progress import seconds_left

    if beat is None:
        return "starting"
    stage, done, total = beat.get("stage", ""), beat.get("done", 0), beat.get("total", 0)
    left = seconds_left(beat)
    words = [f"{stage} {done}/{total}" if total else str(stage)]
    words += [f"{format_duration(left)} left"] if left is not None and done < total else []
    words += [format_losses(beat.get("losses"))] if beat.get("losses") else []
    return ", ".join(words)


def _ending(label: str, outcome: Outcome) -> str:
    if outcome.state == "elsewhere":
        return f"left alone  {label}: another process works on it"
    return f"{outcome.state:<6} {label}" + (f": {outcome.message}" if outcome.message else "")


def _table(snapshot: Snapshot, labels: Mapping[str, str]) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for run_id, beat in snapshot.running.items():
        done, total = (beat or {}).get("done", 0), (beat or {}).get("total", 0)
        bar = ProgressBar(total=total or None, completed=done, width=20, pulse=not total)
        table.add_row(Text(labels.get(run_id, run_id)), bar, Text(where(beat), style="dim"))
    failed = sum(outcome.state == "failed" for outcome in snapshot.outcomes.values())
    words = f"{len(snapshot.outcomes)} ended" + (f" ({failed} failed)" if failed else "")
    table.add_row(Text(f"{words}, {len(snapshot.running)} running, {len(snapshot.waiting)} waiting", style="bold"))
    return table
