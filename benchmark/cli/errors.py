"""Reports of exceptions: one line on stderr, and for an unexpected exception a traceback in `crash.log`."""

from __future__ import annotations

import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from benchmark.cli.console import print_note
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.paths import ROOT, find_runs_folder

_SOURCES = tuple(ROOT / name for name in ("benchmark", "methods", "slurm"))


def report(error: BaseException, arguments: Sequence[str]) -> int:
    """Print one line about the exception that ended a command, and return the exit code.

    Args:
        error: Exception that ended the command.
        arguments: Command line, for the crash log.
    """
    if not isinstance(error, Exception):
        print_note(f"error: {_describe_exit(error)}")
    elif is_expected(error):
        print_note(f"error: {format_message(error)}")
    else:
        log = _write_crash(error, arguments)
        print_note(f"error: {type(error).__name__}: {format_message(error)} (unexpected; traceback in {log})")
    return ExitCode.ERROR


def is_interrupted(error: BaseException) -> bool:
    """Return whether a command was interrupted and has said nothing about it; the option parser makes it an exit."""
    made_by_parser = isinstance(error, SystemExit) and error.__context__ is not None
    cause = error.__context__.__cause__ if made_by_parser and error.__context__ is not None else error
    return isinstance(cause, KeyboardInterrupt)


def is_own_exit(error: BaseException) -> bool:
    """Return whether an exception is the end of a command by this program or its option parser, not by other code."""
    frames = traceback.extract_tb(error.__traceback__)
    if not isinstance(error, SystemExit) or not frames:
        return False
    path = Path(frames[-1].filename).resolve()
    return path.is_relative_to(ROOT / "benchmark") or not {"typer", "click"}.isdisjoint(path.parts)


def _describe_exit(error: BaseException) -> str:
    """Return one line with the place where the code of a method ended this process."""
    from benchmark.store.exceptions import explain_exception

    place = traceback.extract_tb(error.__traceback__)[-1].filename
    return explain_exception(error, method_files=[Path(place).resolve()]).summary


def is_expected(error: Exception) -> bool:
    """Return whether the message of an exception is written for the user rather than for a developer."""
    from pydantic import ValidationError

    from benchmark.utils.lock import BusyError

    if isinstance(error, ValidationError | OSError | BusyError) or type(error).__module__.startswith("slurm."):
        return True
    if isinstance(error, KeyError):
        return " " in str(error.args[0]) if error.args else False
    return isinstance(error, ValueError) and _is_raised_here(error)


def format_message(error: Exception) -> str:
    """Return the message of an exception without line breaks and without the quotes that KeyError adds."""
    from pydantic import ValidationError

    from benchmark.utils.validation_errors import describe_first_error

    if isinstance(error, ValidationError):
        return describe_first_error(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.strerror}: {error.filename}"
    if isinstance(error, OSError):
        text = error.strerror or str(error)
    else:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(text.split())


def _is_raised_here(error: Exception) -> bool:
    """Return whether a `raise` statement in our sources created the exception."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return False
    path = Path(frames[-1].filename).resolve()
    return any(path.is_relative_to(folder) for folder in _SOURCES)


def _write_crash(error: Exception, arguments: Sequence[str]) -> Path:
    """Append the traceback to `crash.log` in the first folder that can be written to, and return the path."""
    text = "".join(traceback.format_exception(error))
    entry = f"{datetime.now().isoformat(timespec='seconds')} chimera-bench {shlex.join(arguments)}\n{text}\n"
    for folder in (Path(_find_runs_folder(arguments)), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "crash.log").open("a", encoding="utf-8") as file:
                file.write(entry)
            return folder / "crash.log"
        except OSError:
            continue
    sys.stderr.write(entry)
    return Path("stderr")


def _find_runs_folder(arguments: Sequence[str]) -> str:
    """Return the folder of run records without the option parser, which may be what failed."""
    for index, argument in enumerate(arguments):
        if argument.startswith("--runs="):
            return argument.removeprefix("--runs=")
        if argument == "--runs" and index + 1 < len(arguments):
            return arguments[index + 1]
    return find_runs_folder()
