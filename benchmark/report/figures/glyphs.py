"""Texts on figures as they are written, with code points for characters that the font of the figures does not have."""

from __future__ import annotations

from functools import cache

from matplotlib.font_manager import FontProperties, fontManager, get_font

from benchmark.utils.plain_text import clean_text

FONT = "DejaVu Sans"
"""Font of all figures; included in matplotlib, so that figures are the same everywhere."""


def show_text(text: str) -> str:
    """Return a text on one line, with <U+6F22> and the like for characters that the font does not have."""
    known = _read_characters()
    return "".join(
        character if ord(character) in known else f"<U+{ord(character):04X}>" for character in clean_text(text)
    )


def find_missing(text: str) -> list[str]:
    """Return the different characters of a text that the font does not have."""
    known = _read_characters()
    return [character for character in dict.fromkeys(clean_text(text)) if ord(character) not in known]


@cache
def _read_characters() -> frozenset[int]:
    """Return the code points of the font."""
    return frozenset(get_font(fontManager.findfont(FontProperties(family=FONT))).get_charmap())
