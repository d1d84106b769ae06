"""The page on methods lists the rules that are checked."""

from __future__ import annotations

from pathlib import Path

from benchmark.contract.rules import format_rules

PAGE = Path(__file__).resolve().parents[2] / "methods" / "README.md"


def test_the_page_on_methods_has_the_table_of_rules() -> None:
    assert format_rules() in PAGE.read_text(encoding="utf-8")
