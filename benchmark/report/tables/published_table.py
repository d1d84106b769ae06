"""Table of published numbers: one function, six formats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import get_args

from benchmark.core.protocol_class import Setting
from benchmark.published.published_row import PublishedRow
from benchmark.report.tables import typeset
from benchmark.report.tables.formats import check_format, format_layout, write_csv
from benchmark.report.tables.json_text import dump_json
from benchmark.report.tables.layout import TableCell, TableLayout, TableNote, assign_marks, drop_notes
from benchmark.report.tables.published_columns import (
    BY_KEY,
    COLUMNS,
    PublishedColumn,
    find_column,
    select_columns,
)

TITLE = "Published numbers"
REASONS = {
    "secondary": "from a secondary source",
    "derived": "a printed gain added to a printed number",
    "memory": "recalled from memory",
    "not found": "no number found",
}
"""Why a row is not verified, by the way in which it was read."""
ADVANTAGES = {
    ("vocabulary", "image"): "chooses among the classes that are in the image, which no other row knows",
    ("target_images", "unlabeled"): "adapts to images of the test distribution, without their masks",
    ("target_images", "masks"): "adapts to images of the test distribution with their masks",
}
"""What a method is given beyond the images that it is scored on, by trait and value."""


def render_published(
    rows: Sequence[PublishedRow],
    *,
    fmt: str = "txt",
    keys: Sequence[str] = (),
    sort: str = "",
    width: int | None = typeset.WIDTH,
    has_notes: bool = True,
) -> str:
    """Return published rows as a table, grouped by dataset, split and setting; nothing is ranked.

    Args:
        rows: Rows of the table.
        fmt: Format, one of `formats.FORMATS`; csv and json have all columns.
        keys: Keys of the printed columns; if empty, the default ones.
        sort: Key of the column that the rows of a group are sorted by, with ",desc" behind it if the largest value
            comes first; empty for the order of the files.
        width: Characters in a line of aligned text; None for all columns side by side.
        has_notes: Whether printed formats have notes; warnings stay in any case.

    Raises:
        KeyError: A format or a column is unknown; the message suggests the nearest.
        ValueError: The order is neither "asc" nor "desc".
    """
    check_format(fmt)
    columns, ordered = select_columns(keys, rows), sort_rows(rows, sort)
    if fmt == "csv":
        return write_csv([*BY_KEY], ([column.value(row) for column in COLUMNS] for row in ordered))
    layout = lay_out_published(ordered, columns)
    layout = layout if has_notes else drop_notes(layout)
    if fmt == "json":
        values = [row.model_dump(mode="json") | {"values": row.values} for row in ordered]
        notes = [{"mark": note.mark, "text": note.text} for note in layout.notes]
        return dump_json({"title": layout.title, "rows": values, "notes": notes})
    return format_layout(layout, fmt, width=width, label="published")


def sort_rows(rows: Sequence[PublishedRow], sort: str = "") -> list[PublishedRow]:
    """Return rows by dataset, split and setting, and within these by a column; rows without its value come last.

    Raises:
        KeyError: The column is unknown; the message suggests the nearest.
        ValueError: The order is neither "asc" nor "desc".
    """
    column, is_descending = _read_order(sort)
    chosen = list(rows)
    if column is not None:
        values = {row.id: _find_sort_value(row, column) for row in rows}
        known = [row for row in rows if values[row.id] not in (None, "")]
        known.sort(key=lambda row: _make_sort_key(values[row.id]), reverse=is_descending)
        chosen = known + [row for row in rows if values[row.id] in (None, "")]
    datasets, splits = (list(dict.fromkeys(getattr(row, name) for row in rows)) for name in ("dataset", "split"))
    settings = list(get_args(Setting))
    return sorted(
        chosen,
        key=lambda row: (datasets.index(row.dataset), splits.index(row.split), settings.index(row.traits.setting)),
    )


def _read_order(sort: str) -> tuple[PublishedColumn | None, bool]:
    key, comma, order = (part.strip() for part in sort.partition(","))
    if (sort and not key) or (comma and order not in ("asc", "desc")):
        raise ValueError(f"cannot sort by {sort!r}: give KEY for ascending or KEY,desc for descending order")
    return (find_column(key) if key else None), order == "desc"


def _find_sort_value(row: PublishedRow, column: PublishedColumn) -> str | float | None:
    """Return the value of a column that a row is sorted by: of a score, the best known one."""
    values: dict[str, float] = {str(metric): value for metric, value in row.values.items()}
    return values.get(column.key, None if column.key in row.printed else column.value(row))


def _make_sort_key(value: str | float | None) -> tuple[float, str]:
    return (0.0, value.casefold()) if isinstance(value, str) else (value or 0.0, "")


def lay_out_published(rows: Sequence[PublishedRow], columns: Sequence[PublishedColumn]) -> TableLayout:
    """Return rows as a table with notes on what is not verified, given to a method, misprinted and computed here."""
    problems = [[*_describe_unverified(row), *_describe_advantages(row)] for row in rows]
    misprints = [[f"misprint: {row.misprint}"] if row.misprint else [] for row in rows]
    marks, notes = assign_marks(
        [first + second for first, second in zip(problems, misprints, strict=True)],
        warnings={text for texts in (*problems, *misprints) for text in texts},
    )
    cells = []
    for row, row_marks, texts in zip(rows, marks, problems, strict=True):
        method_marks, number_marks = row_marks[: len(texts)], row_marks[len(texts) :]
        cells.append(_lay_out_row(row, columns, method_marks, number_marks))
    return TableLayout(
        describe_title(rows),
        tuple(column.header for column in columns),
        tuple(column.is_text for column in columns),
        tuple(cells),
        (*notes, *_describe_whole(rows, columns)),
    )


def describe_title(rows: Sequence[PublishedRow]) -> str:
    """Return the caption of a table, with the split and setting that all rows share."""
    shared = [
        names.pop() for names in ({row.split for row in rows}, {row.traits.setting for row in rows}) if len(names) == 1
    ]
    return ", ".join([TITLE, *filter(None, shared), "in percent"])


def _lay_out_row(
    row: PublishedRow, columns: Sequence[PublishedColumn], method_marks: tuple[str, ...], number_marks: tuple[str, ...]
) -> tuple[TableCell, ...]:
    """Return the cells of a row; the mark of a misprint is at its number, or at the method if that is not printed."""
    keys = {column.key for column in columns}
    place = row.misprinted if row.misprinted in keys else "method"
    marks = {"method": method_marks}
    marks[place] = marks.get(place, ()) + number_marks
    return tuple(replace(column.format(row), marks=marks.get(column.key, ())) for column in columns)


def _describe_unverified(row: PublishedRow) -> list[str]:
    if row.is_verified:
        return []
    reasons = [REASONS[part.strip()] for part in row.how_read.split(";") if part.strip() in REASONS]
    return [": ".join(["unverified", *filter(None, [", ".join(reasons)])])]


def _describe_advantages(row: PublishedRow) -> list[str]:
    return [text for (trait, value), text in ADVANTAGES.items() if getattr(row.traits, trait) == value]


def _describe_whole(rows: Sequence[PublishedRow], columns: Sequence[PublishedColumn]) -> Iterable[TableNote]:
    """Yield the notes on the whole table."""
    texts = [column.format(row).text for row in rows for column in columns if column.key in row.values]
    if any(text.startswith("(") for text in texts):
        yield TableNote("in parentheses: not printed by the source, computed here from what it prints")
    classes = {row.traits.key for row in rows}
    if len(classes) > 1:
        yield TableNote(
            f"not ranked: the rows are of {len(classes)} protocol classes (supervision, setting, vocabulary at test, "
            "images of the test distribution), and only numbers of one class on one split are comparable"
        )
