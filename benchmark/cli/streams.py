"""Standard streams that print every text, whatever their encoding, and warnings that end no command."""

from __future__ import annotations

import codecs
import io
import os
import sys
import warnings

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
    """Let stdout and stderr replace characters that they cannot encode."""
    codecs.register_error(HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


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
