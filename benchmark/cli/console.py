"""What all commands print with."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.store.store import Store

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a field: sgd.keep_end=0.1, budget.iterations=100."),
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Processes at a time; as many as there are cores.")
]
UNLIMITED = 10_000
"""Columns of an output that is no terminal: nothing is cut off there."""
FOLDED_ROWS = 200
"""Longer tables are not folded to the terminal's width: that takes a millisecond a row."""


def open_store(context: typer.Context) -> Store:
    """The store of the folder given with --runs."""
    from benchmark.store.store import Store

    return Store(context.find_root().obj)


def format_command(store: Store, *words: str) -> str:
    """A command as the user may give it next, about the same store."""
    given = str(store.root)
    is_default = given == (os.environ.get("CHIMERA_BENCH_RUNS") or "runs")
    return shlex.join(["chimera-bench", *([] if is_default else ["--runs", given]), *words])


def make_console() -> Console:
    """A console on stdout; as wide as the terminal, or without limit."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else UNLIMITED, highlight=False, soft_wrap=not sys.stdout.isatty())


def print_line(text: str = "") -> None:
    """Print a line."""
    typer.echo(text)


def print_note(text: str) -> None:
    """Print a line that is not part of the result: on stderr."""
    typer.echo(text, err=True)


def print_json(value: Any) -> None:
    """Print JSON; nan, which JSON does not know, becomes null."""
    print_line(json.dumps(_without_nan(value), indent=2, ensure_ascii=False))


def print_columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns; long cells fold in a terminal and are whole in a file."""
    if not sys.stdout.isatty() or len(rows) > FOLDED_ROWS:
        lines = [list(heads), *map(list, rows)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
        for line in lines:
            print_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    make_console().print(table)


def format_duration(seconds: float | None) -> str:
    """Time for people: 45 s, 12 min, 3 h 05."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d}"


def format_losses(losses: Any, *, most: int = 4) -> str:
    """The latest losses in a few words."""
    if not isinstance(losses, dict):
        return ""
    known = [f"{name} {value:.3g}" for name, value in losses.items() if isinstance(value, int | float)]
    return ", ".join(known[:most]) + (", …" if len(known) > most else "")


def read_overrides(given: Sequence[str] | None) -> dict[str, Any]:
    """`--set key=value` as a dict; values are read as YAML, as in a study."""
    from benchmark.core.overrides import parse_overrides

    try:
        return parse_overrides(given or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from error


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value
