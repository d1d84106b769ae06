"""Font of the figures with the characters of a page alone, as a data URL."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable
from html import unescape

from matplotlib.font_manager import FontProperties, fontManager

from benchmark.report.figures.glyphs import FONT


def embed_font(figures: Iterable[str]) -> str:
    """Return a data URL of the font with the characters that the texts of SVG figures use; empty if there are none."""
    texts = (text for figure in figures for text in re.findall(r"<text[^>]*>([^<]*)", figure))
    characters = sorted({*unescape("".join(texts))})
    if not characters:
        return ""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    font = TTFont(fontManager.findfont(FontProperties(family=FONT)), recalcTimestamp=False)
    options = Options(hinting=False, layout_features=["kern"], notdef_outline=True)
    options.drop_tables += ["FFTM"]
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(characters))
    subsetter.subset(font)
    font.flavor = "woff"
    file = io.BytesIO()
    font.save(file)
    return f"data:font/woff;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
