"""Tests of tables as HTML: structure, and nothing of a label is markup."""

from __future__ import annotations

from xml.etree import ElementTree

from benchmark.report.tables.html_table import to_html
from benchmark.report.tables.layout import TableCell, TableLayout, TableNote

LAYOUT = TableLayout(
    title="a < b & c",
    header=("Method", "hIoU"),
    is_text=(True, False),
    cells=((TableCell("<b>x</b>", marks=("a",)), TableCell("45.1", "±1.2", is_best=True)),),
    notes=(TableNote("one & two", "a"), TableNote("all")),
)


def test_a_table_has_a_caption_aligned_cells_and_a_list_of_notes() -> None:
    root = ElementTree.fromstring(f"<x>{to_html(LAYOUT)}</x>")
    assert root.findtext("table/caption") == "a < b & c"
    assert [cell.get("align") for cell in root.findall("table/tbody/tr/td")] == ["left", "right"]
    assert root.findtext("table/tbody/tr/td/strong") == "45.1" and root.findtext("table/tbody/tr/td/small") == "±1.2"
    assert [note.findtext("sup") for note in root.findall("ul/li")] == ["a", None]


def test_labels_are_shown_as_they_are_written() -> None:
    assert "<td align=\"left\">&lt;b&gt;x&lt;/b&gt;<sup>a</sup></td>" in to_html(LAYOUT)  # fmt: skip
