"""`data prepare`: published data sets converted into the layouts that are read here."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.console import Jobs, format_duration, print_line, print_note

LINES_EVERY_S = 10.0


def prepare(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="pascal_context (official .mat files), pascal_context_detail (trainval_merged.json, as mmsegmentation "
            "has it), coco_stuff164k or ade20k_847.",
        ),
    ],
    root: Annotated[Path, typer.Option("--root", help="Folder of the originals; they stay as they are.")],
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder, or one to go on with.", file_okay=False)],
    layout: Annotated[
        str | None, typer.Option(help="mmseg or detectron2, where there are both.", show_default=False)
    ] = None,
    jobs: Jobs = None,
) -> None:
    """Convert a data set's masks. Interrupted, it goes on where it was; every broken original is named at the end."""
    from benchmark.data.prepare import run
    from benchmark.execution.local_pool import cores

    with _progress() as observe:
        outcome = run.prepare(what, root=root, out=out, layout=layout, jobs=jobs or cores(), observe=observe)
    print_line(f"{out}: {outcome.made} file{'s' * (outcome.made != 1)} made, {outcome.kept} were there")
    for line in outcome.broken:
        print_note(f"broken: {line}")
    if outcome.broken:
        print_note(f"{len(outcome.broken)} complaints: replace these originals and give the same command again")
        raise typer.Exit(1)
    dataset = run.PREPARATIONS[what].dataset
    print_line(f"look whether all is well: chimera-bench data check {dataset} --root {out}")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Something to tell of files done: a bar in a terminal, a line now and then in a log."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    with Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    def __init__(self) -> None:
        self._started = self._told = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told >= LINES_EVERY_S or done == total:
            self._told = now
            print_note(f"{done}/{total} files, {format_duration((now - self._started) / done * (total - done))} left")
