"""A table as a plain value: cells with text and meaning, without the syntax of any output format."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal, NamedTuple

TICK = "\u2713"
"""Cell of a part that a row has."""
UNSEEN_MARK = "*"
"""Mark after the name of a class that has no masks in training."""
OTHER_CLASS: Literal["other-class"] = "other-class"
"""State of a difference between rows of two protocol classes."""
OTHER_CLASS_MARK = "\u2021"
"""Mark of such a difference."""


@dataclass(frozen=True)
class TableCell:
    """One cell of a table.

    Attributes:
        text: Text of the cell.
        spread: Uncertainty behind the text, such as "±1.2".
        is_best: Whether the value is the best of those it may be compared with.
        marks: Letters of the notes that concern the cell, or `OTHER_CLASS_MARK`.
        is_second: Whether the value is the second best of them.
        state: What the value is if it is not a plain result of ours, such as "missing", "published" or "other-class";
            empty otherwise.
    """

    text: str
    spread: str = ""
    is_best: bool = False
    marks: tuple[str, ...] = ()
    is_second: bool = False
    state: str = ""


class HeaderGroup(NamedTuple):
    """Neighboring columns with a header of their own above their headers; no header if it is empty."""

    text: str
    columns: int


class Section(NamedTuple):
    """Heading above a row of a table.

    Attributes:
        row: Index of the row.
        text: Heading.
    """

    row: int
    text: str


@dataclass(frozen=True)
class TableNote:
    """A note below a table.

    Attributes:
        text: One paragraph.
        mark: Mark of the cells that the note concerns; if empty, it concerns the whole table.
        is_warning: Whether the numbers must not be read without the note.
    """

    text: str
    mark: str = ""
    is_warning: bool = False


@dataclass(frozen=True)
class TableLayout:
    """A table before it is typeset.

    Attributes:
        title: Caption.
        header: One text per column.
        is_text: Whether each column holds text (aligned left) and not numbers (aligned right).
        cells: Rows by columns.
        notes: Notes below the table.
        groups: Groups of columns, which cover all of them; none for a header of one line.
        sections: Headings within the table, by ascending row.
        is_wide: Whether LaTeX shrinks the table to the page if it is wider; those with groups are shrunk in any case.
    """

    title: str
    header: tuple[str, ...]
    is_text: tuple[bool, ...]
    cells: tuple[tuple[TableCell, ...], ...]
    notes: tuple[TableNote, ...]
    groups: tuple[HeaderGroup, ...] = ()
    sections: tuple[Section, ...] = ()
    is_wide: bool = False

    @property
    def headings(self) -> dict[int, str]:
        """Headings within the table by the index of the row that they precede."""
        return dict(self.sections)


def drop_notes(layout: TableLayout) -> TableLayout:
    """Return a table without notes, except warnings, and without the marks of the others."""
    kept = [note for note in layout.notes if note.is_warning]
    letters = [note.mark for note in kept if note.mark not in ("", OTHER_CLASS_MARK)]
    marks = {mark: spell_mark(index) for index, mark in enumerate(letters)} | {OTHER_CLASS_MARK: OTHER_CLASS_MARK}
    cells = tuple(
        tuple(replace(cell, marks=tuple(marks[mark] for mark in cell.marks if mark in marks)) for cell in row)
        for row in layout.cells
    )
    return replace(layout, cells=cells, notes=tuple(replace(note, mark=marks.get(note.mark, "")) for note in kept))


def spell_mark(number: int) -> str:
    """Return the mark of a number: a, b … z, aa, ab … for 0, 1, 2 and so on."""
    head, tail = divmod(number, 26)
    return (spell_mark(head - 1) if head else "") + chr(ord("a") + tail)


def assign_marks(
    texts_by_row: Sequence[Sequence[str]], *, warnings: Collection[str] = ()
) -> tuple[list[tuple[str, ...]], list[TableNote]]:
    """Give letters to the notes on rows.

    Args:
        texts_by_row: Notes on every row; the same text on several rows gets one letter.
        warnings: Notes without which the numbers must not be read.

    Returns:
        The marks of every row, and the notes in the order of their letters.
    """
    numbers = count()
    marks: dict[str, str] = {}
    for texts in texts_by_row:
        for text in texts:
            if text not in marks:
                marks[text] = spell_mark(next(numbers))
    notes = [TableNote(text, mark, is_warning=text in warnings) for text, mark in marks.items()]
    return [tuple(marks[text] for text in texts) for texts in texts_by_row], notes
