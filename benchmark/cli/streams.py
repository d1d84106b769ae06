"""Standard streams that print every text, whatever their encoding, and warnings that end no command."""

from __future__ import annotations

import codecs
import io
import os
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PLAIN = {
    "±": "+-",
    "Δ": "d",
    "\u2212": "-",
    "\u00d7": "x",
    "─": "-",
    "…": "...",
    "·": "|",
    "†": "+",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "\u03b3": "gamma",
    "\u2013": "-",
    "\u2014": "-",
    "\u2019": "'",
}
"""What is printed for characters that the encoding of a stream does not have; others become escapes such as \\u6f22."""
HANDLER = "chimera-bench-plain"
SILENT = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Warnings that Python does not show by default."""


def set_up_streams() -> None:
    """Let stdout and stderr replace characters that they cannot encode, and write a text whole or raise an error.

    A closed stdout raises an error when something is printed. What a closed or full stderr cannot take is lost, as no
    error of it can be reported.
    """
    codecs.register_error(HANDLER, _replace)
    if sys.stdin is None:  # closed: else the next file that is opened would take its place
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    sys.stdout = _open_closed() if sys.stdout is None else _buffer(sys.stdout)
    sys.stderr = _open_nowhere() if sys.stderr is None else _forgive(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


class _ClosedFile(io.FileIO):
    """Descriptor that cannot be written to, whose error says why."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, "stdout is closed: nothing can be printed") from error


class _ForgivingFile(io.FileIO):
    """Descriptor that takes everything and loses what cannot be written."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _open_closed() -> TextIO:
    """Return a stream in place of a stdout that is closed, as by >&-; its descriptor can only be read."""
    raw = _ClosedFile(os.open(os.devnull, os.O_RDONLY), "w")
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", line_buffering=True)


def _open_nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _forgive(stream: TextIO) -> TextIO:
    """Return a stream to the same file that raises no error; one that was put in the place of stderr is kept."""
    if stream is not sys.__stderr__:  # which lives on, so that its file stays open
        return stream
    with suppress(OSError):
        stream.flush()
    raw = _ForgivingFile(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=stream.encoding, line_buffering=True)


def _buffer(stream: TextIO) -> TextIO:
    """Return a stream with a buffer below its lines: without one, as of PYTHONUNBUFFERED, a full disk cuts texts off.

    Raw files may write a part of what they are given, and a text stream does not write the rest.
    """
    raw = getattr(stream, "buffer", None)
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(raw, io.FileIO):
        return stream
    stream.flush()
    return open(raw.fileno(), "w", buffering=1, encoding=stream.encoding, closefd=False)


def drop_output() -> None:
    """Drop what stdout holds and cannot write, such as on a full disk, so that the end of the process does not fail."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_unicode(encoding: str | None) -> bool:
    """Return whether an encoding has every character."""
    return (encoding or "").lower().replace("-", "").startswith("utf")


def ignore_warning_options() -> None:
    """Show warnings as Python does by default, here and in processes started from here, whatever PYTHONWARNINGS says.

    A warning of a library is nothing that the user of a command could repair, and as an error it would end a run.
    """
    if os.environ.pop("PYTHONWARNINGS", None) is None:
        return
    warnings.resetwarnings()
    for category in SILENT:
        warnings.simplefilter("ignore", category)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Return plain characters for those that cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    escapes = (character.encode("ascii", "backslashreplace").decode("ascii") for character in characters)
    return "".join(PLAIN.get(*pair) for pair in zip(characters, escapes, strict=True)), error.end
