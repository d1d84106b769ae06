"""`data prepare`: convert published datasets into layouts that the benchmark reads."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.console import format_count, print_line, print_note
from benchmark.cli.options import Jobs
from benchmark.cli.out_files import make_out_folder
from benchmark.utils.durations import format_duration
from benchmark.utils.exit_codes import ExitCode

LINES_EVERY_S = 10.0


def prepare(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="pascal_context (official .mat files), pascal_context_detail (trainval_merged.json of "
            "mmsegmentation), coco_stuff164k or ade20k_847.",
        ),
    ],
    root: Annotated[Path, typer.Option("--root", help="Folder of the original files, which are never changed.")],
    out: Annotated[Path, make_out_folder("New or empty folder, or the folder of an interrupted call.")],
    layout: Annotated[
        str | None, typer.Option(help="mmseg or detectron2, if the dataset has both layouts.", show_default=False)
    ] = None,
    jobs: Jobs = None,
) -> None:
    """Convert the masks of a dataset. An interrupted conversion is resumed; broken originals are listed at the end."""
    from benchmark.data.prepare import run
    from benchmark.utils.processes import count_cores

    with _show_progress() as observe:
        outcome = run.prepare(what, root=root, out=out, layout=layout, jobs=jobs or count_cores(), on_progress=observe)
    print_line(f"{out}: {format_count(outcome.made, 'file')} written, {outcome.kept} already there")
    for line in outcome.broken:
        print_note(f"broken: {line}")
    if outcome.broken:
        print_note(f"{len(outcome.broken)} broken originals: replace them and run the same command again")
        raise typer.Exit(ExitCode.ERROR)
    dataset = run.PREPARATIONS[what].dataset
    print_line(f"Check the result: chimera-bench --data {out} data check {dataset}")


@contextmanager
def _show_progress() -> Iterator[Callable[[int, int], None]]:
    """Yield an observer that shows the number of files done: a bar in a terminal, lines at intervals in a log."""
    if not sys.stderr.isatty():
        yield _PeriodicNotes()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    with Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _PeriodicNotes:
    """Observer that prints a line at intervals."""

    def __init__(self) -> None:
        self._started = self._noted = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._noted >= LINES_EVERY_S or done == total:
            self._noted = now
            print_note(f"{done}/{total} files, {format_duration((now - self._started) / done * (total - done))} left")
