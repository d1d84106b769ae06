"""Text that people give us without what a terminal obeys: line breaks and control characters."""

from __future__ import annotations

import unicodedata


def clean_text(text: str) -> str:
    r"""Return a text on one line: line breaks and tabs as spaces, other control characters as escapes such as \x1b."""
    return text if text.isprintable() else "".join(map(_clean_character, text))


def quote_text(text: str) -> str:
    """Return a text in quotes, as it is written: no backslash is doubled, as output formats escape notes themselves."""
    mark = '"' if "'" in text and '"' not in text else "'"
    return f"{mark}{text}{mark}"


def escape_controls(text: str) -> str:
    r"""Return a text with its line breaks and tabs; other control characters are escapes such as \x1b."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(character if character in "\n\t" else _escape_control(character) for character in text)


def _clean_character(character: str) -> str:
    if character in "\n\r\t\v\f" or unicodedata.category(character) in ("Zl", "Zp"):
        return " "
    return _escape_control(character)


def _escape_control(character: str) -> str:
    return f"\\x{ord(character):02x}" if unicodedata.category(character) in ("Cc", "Cs") else character
