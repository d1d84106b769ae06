"""What goes wrong is said in one line on stderr; what should not have gone wrong leaves its traceback in a file."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import typer

from benchmark.utils.paths import ROOT

_OURS = ROOT / "benchmark"


def report(error: Exception, arguments: Sequence[str]) -> int:
    """Print one line about an exception that ended a command; returns the exit code."""
    if is_expected(error):
        typer.echo(f"error: {one_line(error)}", err=True)
        return 1
    where = _write_crash(error, arguments)
    typer.echo(f"error: {type(error).__name__}: {one_line(error)} (unexpected; traceback in {where})", err=True)
    return 1


def is_expected(error: Exception) -> bool:
    """Whether the message was written for whoever called, rather than for whoever wrote the code."""
    from pydantic import ValidationError

    from benchmark.utils.lock import Busy

    if isinstance(error, ValidationError | OSError | Busy) or type(error).__module__.startswith("slurm."):
        return True
    if isinstance(error, KeyError):
        return " " in str(error.args[0]) if error.args else False
    return isinstance(error, ValueError) and _raised_here(error)


def one_line(error: Exception) -> str:
    """The message without line breaks, and without the quotes that KeyError puts around it."""
    from pydantic import ValidationError

    from benchmark.utils.atomic_files import first_complaint

    if isinstance(error, ValidationError):
        return f"{error.title}: {first_complaint(error)}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.strerror}: {error.filename}"
    text = (error.strerror or str(error)) if isinstance(error, OSError) else _text(error)
    return " ".join(text.split())


def _text(error: Exception) -> str:
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)


def _raised_here(error: Exception) -> bool:
    """Whether a `raise` statement of this package, or of a method's file, made the exception."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return False
    last = frames[-1]
    path = Path(last.filename).resolve()
    return any(path.is_relative_to(ours) for ours in (_OURS, _OURS.parent / "methods", _OURS.parent / "slurm"))


def _write_crash(error: Exception, arguments: Sequence[str]) -> Path:
    text = "".join(traceback.format_exception(error))
    entry = f"{datetime.now().isoformat(timespec='seconds')} chimera-bench {shlex.join(arguments)}\n{text}\n"
    for folder in (Path(_runs_folder(arguments)), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "crash.log").open("a", encoding="utf-8") as file:
                file.write(entry)
            return folder / "crash.log"
        except OSError:
            continue
    sys.stderr.write(entry)
    return Path("stderr")


def _runs_folder(arguments: Sequence[str]) -> str:
    """The folder of runs, found without the parser, as that may be what failed."""
    for at, argument in enumerate(arguments):
        if argument.startswith("--runs="):
            return argument.removeprefix("--runs=")
        if argument == "--runs" and at + 1 < len(arguments):
            return arguments[at + 1]
    return os.environ.get("CHIMERA_BENCH_RUNS") or "runs"
