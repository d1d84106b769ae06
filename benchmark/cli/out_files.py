"""Files and folders that commands write to: a file that exists is replaced with --overwrite and not without.

The option parser checks the file, so that a command refuses it before it computes anything. Files that are made to be
edited (`new`, `profile new`, `splits`, `d2 config`) are never replaced.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

OVERWRITE = "overwrite"
"""Name of the parameter of --overwrite, which the check of --out reads."""


def check_out_file(out: Path, *, is_overwritten: bool) -> None:
    """Check that a file can be written, before anything is computed.

    Raises:
        ValueError: The name is that of stdout, or the file exists and may not be replaced.
        OSError: The file is a folder or a device, or cannot be written.
    """
    if str(out) == "-":
        raise ValueError("--out -: expected the name of a file; without --out, results are printed")
    if out.is_dir():
        raise IsADirectoryError(21, "is a folder, give a file", str(out))
    if out.exists() and not out.is_file():
        raise OSError(22, "is no regular file, give another name", str(out))
    if os.path.lexists(out) and not is_overwritten:
        raise ValueError(f"{out} exists: give another name, or --overwrite to replace it")
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise NotADirectoryError(20, "is no folder", str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "cannot write to the folder", str(folder))


@contextmanager
def keep_existing_figures(*, is_overwritten: bool) -> Iterator[None]:
    """Refuse to replace figures within the block, unless they may be.

    Raises:
        FileExistsError: A figure exists; the message says what to do.
    """
    from benchmark.report.figures.style import keep_files

    if is_overwritten:
        yield
        return
    try:
        with keep_files():
            yield
    except FileExistsError as error:
        message = f"{error.filename} exists: give another folder, or --overwrite to replace figures"
        raise FileExistsError(message) from error


def _check(context: typer.Context, out: Path | None) -> Path | None:
    """Check the file of --out, after the eager --overwrite was read."""
    if out is not None and not context.resilient_parsing:
        check_out_file(out, is_overwritten=context.params[OVERWRITE])
    return out


OutFile = Annotated[Path | None, typer.Option("--out", help="File to write instead of stdout.", callback=_check)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.", is_eager=True)]


def make_out_file(*names: str, metavar: str = "FILE", text: str) -> typer.models.OptionInfo:
    """Return the option --out of a command whose file is not an alternative to stdout.

    Args:
        names: Short names of the option.
        metavar: What stands for the file in the help.
        text: Help of the option.
    """
    option: typer.models.OptionInfo = typer.Option("--out", *names, metavar=metavar, help=text, callback=_check)
    return option
