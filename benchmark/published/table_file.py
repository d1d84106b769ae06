"""Lines of the csv files of published numbers, with errors that name file, line and column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

from pydantic import ValidationError

from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.frozen_model import FrozenModel

_NUMBER = r"\d{1,3}(?:\.\d+)?"
_PRINTED = re.compile(rf"({_NUMBER})(?:\s*±\s*({_NUMBER}))?")
_COMPUTED = re.compile(rf"\(({_NUMBER})\)")
LIST_SEPARATOR = ";"


class NumberCell(NamedTuple):
    """Number in percent as a cell holds it.

    Attributes:
        value: Number.
        spread: Number behind ±; None if there is none.
        is_printed: Whether a source prints the number; otherwise it was computed here and is in parentheses.
        decimals: Number of decimals.
    """

    value: float
    spread: float | None
    is_printed: bool
    decimals: int


@dataclass(frozen=True)
class Line:
    """One line of a csv file.

    Attributes:
        path: File.
        number: Number of the line in the file, from 1.
        cells: Text by column, without surrounding spaces.
    """

    path: Path
    number: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """Return the text of a cell; empty if the file does not have the column."""
        return self.cells.get(column, "")

    def refuse(self, column: str, problem: str) -> NoReturn:
        """Raise an error about a cell.

        Raises:
            ValueError: Always; one line with file, line, column and problem.
        """
        raise ValueError(f"{self.path}, line {self.number}, column {column}: {problem}")

    def require(self, column: str) -> str:
        """Return the text of a cell that must not be empty.

        Raises:
            ValueError: The cell is empty.
        """
        return self[column] or self.refuse(column, "the cell is empty: every line needs it")

    def split(self, column: str) -> tuple[str, ...]:
        """Return the entries of a cell, separated by semicolons."""
        return tuple(part.strip() for part in self[column].split(LIST_SEPARATOR) if part.strip())

    def choose(self, column: str, known: Collection[str]) -> str:
        """Return the text of a cell that is one of some names.

        Raises:
            ValueError: The text is another one; the message suggests the nearest.
        """
        if self[column] not in known:
            self.refuse(column, explain_unknown_name("value", self[column], known))
        return self[column]

    def read_integer(self, column: str) -> int:
        """Return the whole number of a cell.

        Raises:
            ValueError: The cell holds something else.
        """
        text = self.require(column)
        return int(text) if text.isascii() and text.isdigit() else self.refuse(column, f"{text!r} is no whole number")

    def read_number(self, column: str) -> NumberCell | None:
        """Return the number of a cell, in percent; None if the cell is empty.

        Raises:
            ValueError: The cell holds something else than 84.3, 84.3±0.5 or (84.3), or a number above 100.
        """
        text = self[column]
        if not text:
            return None
        printed, computed = _PRINTED.fullmatch(text), _COMPUTED.fullmatch(text)
        match = printed or computed
        if match is None:
            self.refuse(column, f"{text!r} is no score: write 84.3, 84.3±0.5, or (84.3) for a number computed here")
        if float(match[1]) > 100:
            self.refuse(column, f"{text!r} is above 100: scores are in percent")
        spread = float(printed[2]) if printed is not None and printed[2] else None
        return NumberCell(float(match[1]), spread, printed is not None, len(match[1].partition(".")[2]))

    def explain(self, error: ValidationError, kind: type[FrozenModel]) -> NoReturn:
        """Raise an error about the first value of the line that a model refuses.

        Raises:
            ValueError: Always; one line with file, line, column and problem.
        """
        from benchmark.utils.validation_errors import describe_first_error, list_problems

        names = [str(part) for part in list_problems(error, kind)[0]["loc"] if isinstance(part, str)]
        columns = [name for name in names if name in self.cells]
        self.refuse((columns or names or ["-"])[-1], describe_first_error(error, kind))


def read_lines(path: Path, *, required: Collection[str], optional: Collection[str] = ()) -> Iterator[Line]:
    """Yield the lines of a csv file in UTF-8 with a header.

    Args:
        path: File to read.
        required: Columns that the file must have.
        optional: Columns that it may have.

    Raises:
        ValueError: A column is missing or unknown, or a line has another number of cells; one line with file and line.
        OSError: The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header, required, optional)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise ValueError(
                    f"{path}, line {reader.line_num}: expected {len(header)} cells, found {len(cells)}: "
                    "put texts with a comma in double quotes"
                )
            yield Line(path, reader.line_num, {name: cell.strip() for name, cell in zip(header, cells, strict=True)})
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error


def _check_header(path: Path, header: list[str], required: Collection[str], optional: Collection[str]) -> None:
    known = [*required, *optional]
    missing = [name for name in required if name not in header]
    if missing:
        raise ValueError(f"{path}, line 1: column {missing[0]!r} is missing; found {', '.join(header) or 'nothing'}")
    for name in header:
        if name not in known:
            raise ValueError(f"{path}, line 1: {explain_unknown_name('column', name, known)}")
        if header.count(name) > 1:
            raise ValueError(f"{path}, line 1: column {name!r} is there twice")
