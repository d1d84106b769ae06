"""A table as a plain value: entries that know what they say, not how it is typeset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

UNSEEN_MARK = "*"
"""After the name of a class that has no masks in training."""


@dataclass(frozen=True)
class Entry:
    """One field of a table.

    Attributes:
        text: what it says.
        spread: how far that is to be trusted, such as "±1.2".
        is_best: whether it is the best of those it may be compared with.
        marks: letters of the notes that concern it.
    """

    text: str
    spread: str = ""
    is_best: bool = False
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """A line below a table; without a mark it concerns all of it."""

    text: str
    mark: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        title: its caption.
        header: one text a column.
        is_words: for every column, whether it holds words (aligned left) and not figures (aligned right).
        entries: rows by columns.
        notes: below it.
    """

    title: str
    header: tuple[str, ...]
    is_words: tuple[bool, ...]
    entries: tuple[tuple[Entry, ...], ...]
    notes: tuple[Note, ...]


def letter(number: int) -> str:
    """a, b … z, aa, ab … for 0, 1 …"""
    head, tail = divmod(number, 26)
    return (letter(head - 1) if head else "") + chr(ord("a") + tail)


def marked_notes(said: Sequence[Sequence[str]]) -> tuple[list[tuple[str, ...]], list[Note]]:
    """Give letters to what is said of rows.

    Args:
        said: for every row, what is to be said of it; the same text on several rows gets one letter.

    Returns:
        The marks of every row, and the notes in the order of their letters.
    """
    numbers = count()
    marks: dict[str, str] = {}
    for texts in said:
        for text in texts:
            if text not in marks:
                marks[text] = letter(next(numbers))
    return [tuple(marks[text] for text in texts) for texts in said], [Note(text, mark) for text, mark in marks.items()]
