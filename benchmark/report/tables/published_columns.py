"""Columns of a table of published numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.published.published_row import Metric, PublishedRow
from benchmark.report.tables.layout import TableCell
from benchmark.utils.did_you_mean import explain_unknown_name

Value = str | float | None


@dataclass(frozen=True)
class PublishedColumn:
    """A column of a table of published numbers.

    Attributes:
        key: Name of the column for options, csv and sorting.
        header: Header in printed tables.
        value: Function from a row to the value; None if the row has none.
        cell: Function from a row to the printed cell; None for the value as it is.
        is_text: Whether the cells hold text (aligned left) and not numbers (aligned right).
        is_default: Whether the column is printed if no columns are selected and a row has a value.
    """

    key: str
    header: str
    value: Callable[[PublishedRow], Value]
    cell: Callable[[PublishedRow], TableCell] | None = None
    is_text: bool = True
    is_default: bool = False

    def format(self, row: PublishedRow) -> TableCell:
        """Return the printed cell of a row."""
        if self.cell is not None:
            return self.cell(row)
        value = self.value(row)
        return TableCell("" if value is None else str(value))


def format_score(row: PublishedRow, metric: Metric) -> TableCell:
    """Return the number of a row as its source prints it, or in parentheses if it was computed here."""
    if metric in row.printed:
        spread = f"±{row.spread[metric]:.{row.decimals}f}" if metric in row.spread else ""
        return TableCell(f"{row.printed[metric]:.{row.decimals}f}", spread)
    if metric in row.recomputed:
        return TableCell(f"({row.recomputed[metric]:.{row.decimals}f})")
    return TableCell("-")


def format_models(row: PublishedRow) -> str:
    """Return backbone and extra models of a row."""
    return " + ".join([*filter(None, [row.traits.backbone]), *row.traits.extra_models])


def _make_score(metric: Metric, header: str, *, is_default: bool = True) -> PublishedColumn:
    return PublishedColumn(
        metric,
        header,
        lambda row: row.printed.get(metric),
        lambda row: format_score(row, metric),
        is_text=False,
        is_default=is_default,
    )


def _make_recomputed(metric: Metric, header: str, *, is_default: bool = False) -> PublishedColumn:
    def format_recomputed(row: PublishedRow) -> TableCell:
        return TableCell(f"{row.recomputed[metric]:.2f}" if metric in row.recomputed else "-")

    return PublishedColumn(
        f"{metric}_recomputed",
        header,
        lambda row: row.recomputed.get(metric),
        format_recomputed,
        is_text=False,
        is_default=is_default,
    )


def _make_spread(metric: Metric, header: str) -> PublishedColumn:
    return PublishedColumn(f"{metric}_spread", header, lambda row: row.spread.get(metric), is_text=False)


def _make_trait(name: str, header: str, *, is_default: bool = False) -> PublishedColumn:
    return PublishedColumn(name, header, lambda row: getattr(row.traits, name), is_default=is_default)


def _make_field(name: str, header: str, *, is_default: bool = False) -> PublishedColumn:
    return PublishedColumn(name, header, lambda row: getattr(row, name), is_default=is_default)


COLUMNS = (
    _make_field("id", "ID"),
    _make_field("method", "Method", is_default=True),
    _make_field("system", "System"),
    _make_field("benchmark", "Benchmark"),
    _make_field("dataset", "Dataset"),
    _make_field("split", "Split", is_default=True),
    _make_trait("setting", "Setting", is_default=True),
    _make_trait("supervision", "Supervision"),
    _make_trait("vocabulary", "Vocabulary"),
    _make_trait("target_images", "Target images"),
    _make_trait("mask_votes", "Mask votes"),
    _make_trait("background", "Background"),
    _make_trait("threshold", "Threshold"),
    PublishedColumn("backbone", "Backbone", format_models, is_default=True),
    _make_score("pixel_accuracy", "pAcc", is_default=False),
    _make_score("miou_seen", "S"),
    _make_score("miou_unseen", "U"),
    _make_score("hiou", "hIoU"),
    _make_score("miou", "mIoU"),
    _make_recomputed("miou_seen", "S here"),
    _make_recomputed("miou_unseen", "U here"),
    _make_recomputed("hiou", "hIoU of S, U", is_default=True),
    _make_recomputed("miou", "mIoU here"),
    _make_spread("miou_seen", "±S"),
    _make_spread("miou_unseen", "±U"),
    _make_field("venue", "Venue"),
    PublishedColumn("year", "Year", lambda row: row.year, is_text=False, is_default=True),
    _make_field("arxiv", "arXiv"),
    _make_field("source", "Source", is_default=True),
    _make_field("repository", "Repository"),
    _make_field("source_commit", "Commit"),
    _make_field("how_read", "Read in"),
    PublishedColumn("is_verified", "Verified", lambda row: "yes" if row.is_verified else "no"),
    _make_field("misprint", "Misprint"),
    _make_field("note", "Note"),
)
"""All columns, in the order of csv."""
CAPTION = ("split", "setting")
"""Columns that the caption replaces if all rows have the same value."""
BY_KEY = {column.key: column for column in COLUMNS}


def select_columns(keys: Sequence[str], rows: Sequence[PublishedRow]) -> list[PublishedColumn]:
    """Return the columns with these keys, with the method first; without keys, the default ones that tell something.

    Default columns are left out if no row fills them. So are split and setting if all rows share them, as the caption
    of the table names them.

    Raises:
        KeyError: A key is unknown; the message suggests the nearest.
    """
    chosen = [find_column(key) for key in dict.fromkeys(keys)]
    if chosen:
        return chosen if any(column.key == "method" for column in chosen) else [BY_KEY["method"], *chosen]
    return [column for column in COLUMNS if column.is_default and _tells_something(column, rows)]


def find_column(key: str) -> PublishedColumn:
    """Return the column with this key.

    Raises:
        KeyError: The key is unknown; the message suggests the nearest.
    """
    if key not in BY_KEY:
        raise KeyError(explain_unknown_name("column", key, BY_KEY))
    return BY_KEY[key]


def _tells_something(column: PublishedColumn, rows: Sequence[PublishedRow]) -> bool:
    texts = {column.format(row).text for row in rows}
    if column.key in CAPTION:
        return len(texts) > 1
    return column.key == "method" or not texts <= {"", "-"}
