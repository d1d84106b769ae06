"""Files and folders that commands write to: a file that exists is replaced with --overwrite and not without.

The option parser checks the file, so that a command refuses it before it computes anything. Files that are made to be
edited (`new`, `profile new`, `splits`, `d2 config`) are never replaced.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

OVERWRITE = "overwrite"
"""Name of the parameter of --overwrite, which the check of --out reads."""


def check_out_file(out: Path, *, is_overwritten: bool) -> None:
    """Check that a file can be written, before anything is computed.

    Raises:
        ValueError: It cannot, it exists and may not be replaced, or it is no regular file; the message says what to do.
    """
    if str(out) == "-":
        raise ValueError("--out -: expected the name of a file; without --out, results are printed")
    if out.is_dir():
        raise ValueError(f"--out {out} is a folder: expected the name of a file")
    if out.exists() and not out.is_file():
        raise ValueError(f"--out {out} is no regular file: give another name")
    if os.path.lexists(out) and not is_overwritten:
        raise ValueError(f"{out} exists: give another name, or --overwrite to replace it")
    _check_place(out, out.parent)


def check_out_folder(out: Path) -> None:
    """Check that a folder exists or can be made, before anything is computed.

    Raises:
        ValueError: It cannot; the message says why.
    """
    if str(out) == "-":
        raise ValueError("--out -: expected the name of a folder")
    if os.path.lexists(out) and not out.is_dir():
        raise ValueError(f"--out {out} is no folder: expected one, or the name of a new one")
    _check_place(out, out)


def _check_place(out: Path, folder: Path) -> None:
    """Check that files can be written to a folder or, if it does not exist, to the lowest one above it that does."""
    place = folder.absolute()
    lowest = next(path for path in (place, *place.parents) if os.path.lexists(path))
    if not lowest.is_dir():
        raise ValueError(f"--out {out}: {lowest} is no folder")
    if not os.access(lowest, os.W_OK):
        raise ValueError(f"--out {out}: no permission to write to the folder {lowest}")


def check_new_figures(paths: Sequence[Path]) -> None:
    """Check that none of the figures that may be drawn exists, before any is drawn.

    Raises:
        ValueError: A figure exists; the message says what to do.
    """
    existing = next(filter(os.path.lexists, paths), None)
    if existing is not None:
        raise ValueError(f"{existing} exists: give another folder, or --overwrite to replace figures")


def _check_file(context: typer.Context, out: Path | None) -> Path | None:
    """Check the file of --out, after the eager --overwrite was read."""
    if out is not None and not context.resilient_parsing:
        check_out_file(out, is_overwritten=context.params[OVERWRITE])
    return out


def _check_folder(context: typer.Context, out: Path | None) -> Path | None:
    if out is not None and not context.resilient_parsing:
        check_out_folder(out)
    return out


OutFile = Annotated[Path | None, typer.Option("--out", help="File to write instead of stdout.", callback=_check_file)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.", is_eager=True)]


def make_out_file(*names: str, text: str) -> typer.models.OptionInfo:
    """Return the option --out of a command whose file is not an alternative to stdout.

    Args:
        names: Short names of the option.
        text: Help of the option.
    """
    option: typer.models.OptionInfo = typer.Option("--out", *names, metavar="FILE", help=text, callback=_check_file)
    return option


def make_out_folder(text: str) -> typer.models.OptionInfo:
    """Return the option --out of a command that writes to a folder.

    Args:
        text: Help of the option.
    """
    option: typer.models.OptionInfo = typer.Option("--out", metavar="DIR", help=text, callback=_check_folder)
    return option
