"""Printing and formatting shared by all commands.

What is said to the user repeats the global options --runs and --data in its commands, so that they work when they are
pasted. `Store.format_command` writes them if the store is known; `print_line` and `print_note` complete the commands of
other parts, such as those in an error about a dataset. Results are printed as they are, by `print_result` and
`print_json`: a table has the same bytes whatever folder it was made from, so its notes name no folder, and those with
commands are repeated on stderr.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import typer

from benchmark.cli.streams import is_unicode
from benchmark.utils.plain_text import clean_text, escape_controls

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.core.run_state import RunState
    from benchmark.store.store import Store

GIVEN_OPTIONS = "benchmark.given_options"
"""Key of the global options of the command line, --runs apart, in what the contexts of a command share."""
UNLIMITED = 10_000
"""Width of an output that is not a terminal, so that no line is cut off."""
MIN_FOLDED_WIDTH = 60
"""Smallest width of a terminal whose columns are folded; in a narrower one, columns would vanish."""
FOLDED_ROWS = 200
"""Largest number of rows folded to the terminal's width; folding takes a millisecond per row."""

PROGRAM = "chimera-bench"
_collections: list[list[str]] = []
"""Lists of the contexts of `collect_notes`."""
_global_options: ContextVar[tuple[Path, tuple[str, ...], re.Pattern[str]] | None]
_global_options = ContextVar("global_options", default=None)
"""Folder of the runs, other global options and pattern of commands without them; None outside of a command."""


def set_global_options(runs: Path, options: Sequence[str], *, commands: Iterable[str]) -> None:
    """Set the global options that printed commands repeat until `forget_global_options`.

    Args:
        runs: Folder of the runs.
        options: Other global options that the user gave.
        commands: Names of all commands.
    """
    pattern = re.compile(rf"\b{PROGRAM} (?=(?:{'|'.join(commands)})\b)")
    _global_options.set((runs, tuple(options), pattern))


def forget_global_options() -> None:
    """Forget the global options of a command that has ended."""
    _global_options.set(None)


def complete_commands(text: str) -> str:
    """Return a text whose commands have the global options of the user's command; those with options are kept."""
    known = _global_options.get() if PROGRAM in text else None  # of thousands of cells, few name a command
    if known is None or not known[2].search(text):
        return text
    from benchmark.store.store import Store

    runs, options, pattern = known
    begin = Store(runs, options=options).format_command()
    return pattern.sub(f"{begin} ".replace("\\", r"\\"), text)


def open_store(context: typer.Context) -> Store:
    """Open the store in the folder given with --runs; commands that it prints repeat --data."""
    from benchmark.store.store import Store

    return Store(context.find_root().obj, options=context.meta.get(GIVEN_OPTIONS, ()))


def open_given_store(context: typer.Context) -> Store:
    """Open the store for a command that only looks at what is there.

    Raises:
        FileNotFoundError: The folder was given with --runs, and there is none.
    """
    store, source = open_store(context), context.find_root().get_parameter_source("runs")
    if source is not None and source.name == "COMMANDLINE" and not store.root.is_dir():
        raise FileNotFoundError(f"there is no folder {store.root}: give another folder with --runs")
    return store


def format_command(store: Store, *words: str) -> str:
    """Return a command line that the user can run next, on the same store."""
    return store.format_command(*words)


def make_console() -> Console:
    """Create a console on stdout, as wide as the terminal or, if stdout is not a terminal, of unlimited width."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else UNLIMITED, highlight=False, soft_wrap=not sys.stdout.isatty())


def print_line(text: str = "") -> None:
    """Print a line, or several, with complete commands; control characters of texts that people give us are escaped."""
    print_result(complete_commands(text))


def print_result(text: str) -> None:
    """Print the lines of a result, whose commands name no folder; control characters are escaped."""
    typer.echo(escape_controls(text))


def print_text(text: str) -> None:
    """Print a part of a text at once, without a line break of its own."""
    typer.echo(text, nl=False)
    sys.stdout.flush()


def print_note(text: str) -> None:
    """Print a line that is not part of the result to stderr, with complete commands."""
    for notes in _collections:
        notes.append(text)
    typer.echo(escape_controls(complete_commands(text)), err=True)


@contextmanager
def collect_notes() -> Iterator[list[str]]:
    """Yield a list that receives the notes that are printed within the context, to print them again another time."""
    notes: list[str] = []
    _collections.append(notes)
    try:
        yield notes
    finally:
        _collections.pop()


def print_json(value: Any) -> None:
    """Print JSON; nan, which JSON does not have, becomes null, and so do characters beyond the encoding escapes."""
    typer.echo(json.dumps(_replace_nan(value), indent=2, ensure_ascii=not is_unicode(sys.stdout.encoding)))


def print_columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns; long cells are folded in a wide terminal and complete in a file."""
    rows = [[clean_text(complete_commands(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty() or len(rows) > FOLDED_ROWS or get_terminal_size().columns < MIN_FOLDED_WIDTH:
        lines = [list(heads), *map(list, rows)]
        widths = [max(map(_measure, column)) for column in zip(*lines, strict=True)]
        texts = ("  ".join(map(_pad, line, widths)) for line in lines)
        print_line("\n".join(text.rstrip() for text in texts))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    make_console().print(table)


def _measure(cell: str) -> int:
    """Return the columns of a terminal that a cell takes; some characters take two, or none."""
    if cell.isascii():
        return len(cell)
    from rich.cells import cell_len

    return cell_len(cell)


def _pad(cell: str, width: int) -> str:
    return cell + " " * (width - _measure(cell))


def format_count(count: int, noun: str) -> str:
    """Format a number of things: 1 run, 2 runs."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def format_names(names: Sequence[str], *, most: int = 3) -> str:
    """Format names in one line: all of a few, else the first and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def format_states(states: Sequence[RunState]) -> str:
    """Format the number of runs in each state."""
    from benchmark.core.run_state import RunState

    return " · ".join(f"{states.count(state)} {state}" for state in RunState if state in states) or "no runs"


def format_losses(losses: Any, *, most: int = 4) -> str:
    """Format the first few losses by name."""
    if not isinstance(losses, dict):
        return ""
    known = [f"{name} {value:.3g}" for name, value in losses.items() if isinstance(value, int | float)]
    return ", ".join(known[:most]) + (", …" if len(known) > most else "")


def _replace_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _replace_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value
