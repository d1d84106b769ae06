"""Texts without what a terminal obeys."""

from __future__ import annotations

from benchmark.utils.plain_text import clean_text, escape_controls


def test_a_text_is_shown_on_one_line_without_control_characters() -> None:
    assert clean_text("a\nb\x07\x1b[31m ü") == r"a b\x07\x1b[31m ü"


def test_lines_and_tabs_of_a_message_are_kept() -> None:
    assert escape_controls("a\n\tb\x1b[2Jü") == "a\n\tb" + r"\x1b[2Jü"
