"""Tests of texts as written in Markdown, LaTeX and aligned text: what people may call a row, and what is shown."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len

from benchmark.report.tables.escaping import escape_latex, escape_markdown, find_hidden_characters
from benchmark.report.tables.latex_table import to_latex
from benchmark.report.tables.layout import TableCell, TableLayout, TableNote, drop_notes
from benchmark.report.tables.typeset import to_markdown, to_text
from benchmark.utils.plain_text import clean_text

LABELS = (
    "*ours*",
    "_no SGD",
    "$10 vs $20",
    "Ba$$in",
    r"$\foo$",
    "a|b",
    'say "hi"',
    "\u03b3 = 0.5, \u22121 ≥ x",
    "漢字",
    "<b>&amp;</b>",
    "[x](y) `code`",
    r"50% #1 {a}^~\foo",
    "one\ntwo\t\x1b[31m",
    "Å é ł ß ő „q“",
    "a -- b --- c ,, `` '' ?` !`",
    "[0] first",
)
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
BOOKTABS = r"\let\toprule\hline\let\midrule\hline\let\bottomrule\hline"


def make_layout(labels: tuple[str, ...]) -> TableLayout:
    """Return a table whose title, header, cells and notes are labels."""
    cells = tuple((TableCell(label, marks=("a",)), TableCell("-1.0", "±0.5", is_best=True)) for label in labels)
    notes = tuple(TableNote(label, mark="a") for label in labels)
    return TableLayout(labels[0], (labels[0], "hIoU"), (True, False), cells, notes)


def render_markdown(text: str) -> str:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


def squeeze(text: str) -> str:
    """Return a text as a browser shows it: with single spaces."""
    return re.sub(r"[ \t\n\r\f]+", " ", text).strip(" ")


@given(TEXTS)
def test_markdown_shows_every_text_as_written(text: str) -> None:
    table = f"| {escape_markdown(text)} | x |\n| :-- | :-- |\n| {escape_markdown(text)} | y |\n"
    shown = [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", render_markdown(table))]
    assert [squeeze(cell) for cell in shown] == [squeeze(clean_text(text)), "x", squeeze(clean_text(text)), "y"]


@pytest.mark.parametrize("label", LABELS)
def test_a_markdown_table_keeps_its_rows_and_columns(label: str) -> None:
    shown = render_markdown(to_markdown(make_layout((label, label))))
    assert shown.count("<tr>") == 3 and shown.count("<td") == 4
    assert shown.count("<strong>") == 3  # the title and two best values
    assert "$" not in re.sub(r"\\\$", "", to_markdown(make_layout((label,))))


@given(TEXTS)
def test_aligned_text_has_one_line_per_row_and_the_same_width_everywhere(text: str) -> None:
    lines = to_text(make_layout((text, "x")), width=None).splitlines()
    rule = next(line for line in lines if line.startswith("───"))
    assert [cell_len(line) for line in lines[4:6]] == [cell_len(rule)] * 2 and lines[6] == rule


def test_wide_text_is_not_folded() -> None:
    cells = tuple(TableCell("x" * 30) for _ in range(6))
    layout = TableLayout("", ("h",) * 6, (True,) * 6, (cells,), ())
    assert to_text(layout).count("x" * 30) == 8 and to_text(layout).count("\n") == 13  # three blocks of four
    assert to_text(layout, width=None).count("\n") == 5


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("*ours*", "{*}ours{*}"),
        ("a|b", r"a\textbar{}b"),
        ('"', r"{\ttfamily\char34}"),
        ("\u03b3 ≥ \u22121", r"$\gamma$ $\geq$ $-$1"),
        ("-- ,,", "-{}- ,{},"),
        (r"\foo", r"\textbackslash{}foo"),
        ("漢", r"\benchchar{28450}{6F22}"),
        ("e\u0301", "é"),
    ],
)
def test_latex_has_a_command_for_what_it_would_misread(text: str, escaped: str) -> None:
    assert escape_latex(text) == escaped


def test_only_characters_beyond_pdflatex_are_named() -> None:
    assert find_hidden_characters("é \u03b3 ± 漢漢字") == ["漢", "字"]
    assert "benchchar" not in to_latex(make_layout(("é \u03b3 ±",)))
    assert to_latex(make_layout(("漢",))).count(r"\DeclareRobustCommand") == 1


def compile_latex(program: str, body: str, folder: Path) -> str:
    """Compile a document and return the errors; the test is skipped if the program is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    (folder / "booktabs.sty").write_text(BOOKTABS)  # a stand-in, as a small TeX does not have it
    source = f"\\documentclass{{article}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    (folder / "doc.tex").write_text(source, encoding="utf-8")
    run = subprocess.run([program, "-interaction=nonstopmode", "doc.tex"], cwd=folder, capture_output=True)
    errors = [line for line in run.stdout.decode(errors="replace").splitlines() if line.startswith("!")]
    return "\n".join(errors) if (folder / "doc.pdf").is_file() else f"no document: {errors}"


@pytest.mark.parametrize("program", ["pdflatex", "lualatex", "xelatex"])
def test_a_table_of_any_labels_compiles(program: str, tmp_path: Path) -> None:
    assert compile_latex(program, to_latex(make_layout(LABELS), label="x"), tmp_path) == ""


def test_every_character_of_western_text_and_symbols_compiles(tmp_path: Path) -> None:
    characters = [chr(code) for code in range(0x20, 0x2C00) if unicodedata.category(chr(code)) not in ("Cn", "Cs")]
    texts = ["x" + "".join(characters[start : start + 20]) for start in range(0, len(characters), 20)]
    layouts = [make_layout(tuple(texts[start : start + 25])) for start in range(0, len(texts), 25)]
    assert compile_latex("pdflatex", "\\clearpage\n".join(map(to_latex, layouts)), tmp_path) == ""


def test_notes_are_dropped_with_their_marks_but_warnings_stay() -> None:
    layout = make_layout(("x",))
    layout = drop_notes(
        TableLayout("", layout.header, layout.is_text, layout.cells, (*layout.notes, TableNote("!", "", True)))
    )
    assert [note.text for note in layout.notes] == ["!"] and layout.cells[0][0].marks == ()


@settings(max_examples=20)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_no_text_of_a_table_breaks_a_line_of_latex(labels: list[str]) -> None:
    lines = to_latex(make_layout(tuple(labels))).splitlines()
    rows = lines[lines.index("    \\midrule") + 1 : lines.index("    \\bottomrule")]
    assert len(rows) == len(labels) and all(row.endswith(r" \\") for row in rows)
