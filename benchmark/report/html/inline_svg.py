"""SVG of matplotlib as a part of a page: compact, with ids of its own, and with grays that follow the theme."""

from __future__ import annotations

import re
from html import escape
from itertools import pairwise

DECIMALS = {"d": 2, "x": 2, "y": 2, "points": 2, "transform": 4}
"""Decimals of the numbers in attributes; other attributes are kept as they are."""
PIXELS_PER_POINT = 96 / 72

MANY_POINTS = 20
"""Points from which a line is written with one decimal: a tenth of a point on paper is not seen."""

_POLYGON = re.compile(r"M(?:[-\d.]+ [-\d.]+L?)+z?")
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_ATTRIBUTE = re.compile(r'\s(d|x|y|points|transform)="([^"]*)"')
_GRAY = re.compile(r"#([0-9a-f]{2})\1\1\b")
_DROPPED = (
    re.compile(r"^.*?(?=<svg)", re.DOTALL),
    re.compile(r"<metadata>.*?</metadata>", re.DOTALL),
    re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL),
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"font-family: [^;\"]*;? ?"),
)
"""What a page does not need: the head of the file, metadata, comments, and styles that the page has once for all."""


def inline_svg(text: str, *, prefix: str, label: str, is_themed: bool = True) -> str:
    """Return an SVG file as an element of a page.

    Args:
        text: Content of the file, as matplotlib writes it.
        prefix: Beginning of all ids, different for every figure of a page.
        label: Text in place of the figure for readers who do not see it.
        is_themed: Whether grays become variables of the page's theme; otherwise black on white is kept.
    """
    for pattern in _DROPPED:
        text = pattern.sub("", text)
    text = _ATTRIBUTE.sub(_compact, text)
    text = _rename_ids(text, prefix)
    text = re.sub(r">\s+<", "><", text)
    if is_themed:
        text = _GRAY.sub(lambda match: f"var(--gray-{match[1]},{match[0]})", text)
    return re.sub(r"<svg [^>]*>", lambda match: _open(match[0], label), text, count=1).strip()


def list_grays(texts: list[str]) -> list[str]:
    """Return the levels of gray that themed figures use, as two hex digits each, sorted."""
    return sorted({level for text in texts for level in re.findall(r"var\(--gray-([0-9a-f]{2}),", text)})


def _compact(match: re.Match[str]) -> str:
    name, value = match[1], " ".join(match[2].split())
    value = _NUMBER.sub(lambda number: _round(number[0], DECIMALS[name]), value)
    value = _shorten_path(re.sub(r" ?([MLQCHVZz]) ?", r"\1", value)) if name == "d" else value
    if name == "transform":
        value = re.sub(r"rotate\(-?0 [^)]*\)", "", value)
    return f' {name}="{value}"' if value else ""


def _shorten_path(path: str) -> str:
    """Return a path of straight lines in steps from point to point, which have fewer digits; others as they are."""
    if path.count("L") < MANY_POINTS or path.count("M") > 1 or not _POLYGON.fullmatch(path):
        return path
    points = [[round(10 * float(number)) for number in point.split()] for point in path[1:].rstrip("z").split("L")]
    steps = [f"{_write_tenths(x - before[0])} {_write_tenths(y - before[1])}" for before, (x, y) in pairwise(points)]
    start = " ".join(map(_write_tenths, points[0]))
    return f"M{start}l{' '.join(steps)}{'z' if path.endswith('z') else ''}".replace(" -", "-")


def _write_tenths(tenths: int) -> str:
    text = f"{tenths / 10:g}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _round(number: str, decimals: int) -> str:
    text = f"{float(number):.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _rename_ids(text: str, prefix: str) -> str:
    """Return the figure without ids that nothing refers to; the others begin with a prefix."""
    text = text.replace("xlink:href", "href")
    used = {*re.findall(r'href="#([^"]+)"', text), *re.findall(r"url\(#([^)]+)\)", text)}
    text = re.sub(r' id="([^"]*)"', lambda match: f' id="{prefix}{match[1]}"' if match[1] in used else "", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}\1"', text)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", text)


def _open(tag: str, label: str) -> str:
    """Return the first tag of the element, at the size that the figure has on paper."""
    box = re.search(r'viewBox="([^"]*)"', tag)
    assert box is not None
    width, height = (round(float(side) * PIXELS_PER_POINT) for side in box[1].split()[2:])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="{box[1]}" width="{width}" height="{height}" '
        f'aria-label="{escape(label)}">'
    )
