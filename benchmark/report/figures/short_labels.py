"""Labels that are short enough for a figure: what tells them apart stays, in whatever part of them it is."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from benchmark.report.figures.glyphs import show_text

NUM_ROUNDS = 3
"""Times that labels which look the same are cut again, each time nearer to where they differ."""
MAX_WORD = 12
"""Most characters of a word that are shown before the first one that differs."""
MIN_NAME = 5
"""Least characters of a name that are shown before its overrides."""
_CODE_POINT = re.compile(r"<U\+[0-9A-F]+>")
_OVERRIDES = re.compile(r" \[\S+=.*\]( #\w+)?$")
_KEY = re.compile(r"(?<=[\[ ])(?:[\w-]+\.)+([\w-]+)(?==)")
"""Overrides behind a name, as in `paper [sgd.weight=2]`, and a key of them that has a path."""

Fit = Callable[[str, int | None], str]
"""Function from a text, and where it differs from others that would look the same, to a text that fits."""


def shorten_labels(labels: Sequence[str], *, width: int = 34) -> list[str]:
    """Return labels that leave space for the figure, each on one line; different labels stay different.

    Args:
        labels: Labels of the rows.
        width: Largest number of characters. A longer label loses its middle, as labels often differ at their ends;
            labels that differ in the middle keep the part from there on. Labels with overrides, as in
            `paper [sgd.weight=2]`, lose the paths of the keys and may be half as long again; then their names are cut.
    """
    return _tell_apart(labels, partial(_shorten, width=width, widest=width * 3 // 2), space=(1, width))


def wrap_labels(labels: Sequence[str], *, width: int = 24, widest: int = 36) -> list[str]:
    """Return labels on at most two lines each; longer ones are cut as by `shorten_labels`.

    Args:
        labels: Labels of the rows.
        width: Largest number of characters of a line.
        widest: The same for labels with overrides, if their values do not fit otherwise.
    """
    return _tell_apart(labels, partial(_wrap, width=width, widest=widest), space=(2, width))


def list_label_key(labels: Sequence[str], shown: Sequence[str]) -> list[str]:
    """Return what the labels stand for that only a number tells apart, one text each; none if there are none.

    Args:
        labels: Labels.
        shown: Labels as `shorten_labels` or `wrap_labels` returns them.
    """
    stems = [re.sub(r" \(\d+\)$", "", text) for text in shown]
    groups: dict[str, set[str]] = {}
    for stem, label in zip(stems, labels, strict=True):
        groups.setdefault(stem, set()).add(label)
    pairs = {text: label for stem, text, label in zip(stems, shown, labels, strict=True) if len(groups[stem]) > 1}
    return [f"'{' '.join(text.split())}' is '{label}'" for text, label in pairs.items()]


def _tell_apart(labels: Sequence[str], fit: Fit, *, space: tuple[int, int]) -> list[str]:
    texts = _drop_paths([show_text(label) for label in labels], space)
    shown = [fit(text, None) for text in texts]
    for _ in range(NUM_ROUNDS):
        groups: dict[str, list[int]] = {}
        for index, text in enumerate(shown):
            groups.setdefault(text, []).append(index)
        for members in groups.values():
            if len({texts[index] for index in members}) > 1:
                start = _find_difference([texts[index] for index in members])
                for index in members:
                    shown[index] = fit(texts[index], start)
    copies: dict[str, list[str]] = {}
    for text, label in zip(shown, labels, strict=True):
        if label not in copies.setdefault(text, []):
            copies[text].append(label)
    numbers = [copies[text].index(label) + 1 for text, label in zip(shown, labels, strict=True)]
    return [f"{text} ({number})" if number > 1 else text for text, number in zip(shown, numbers, strict=True)]


def _find_difference(texts: Sequence[str]) -> int:
    """Return the index of the first character in which texts differ."""
    different = (index for index, characters in enumerate(zip(*texts, strict=False)) if len(set(characters)) > 1)
    return next(different, min(map(len, texts)))


def _drop_paths(texts: Sequence[str], space: tuple[int, int]) -> list[str]:
    """Return labels whose overrides have keys without paths, except keys that would be the same; as given if all fit.

    Args:
        texts: Labels.
        space: Largest number of lines, and of characters of a line.
    """
    lines, width = space
    found = [_OVERRIDES.search(text) for text in texts]
    if all(match is None or len(textwrap.wrap(match.string, width)) <= lines for match in found):
        return list(texts)
    tails = [match.group() for match in found if match is not None]
    keys = {key for tail in tails for key in re.findall(r"(?<=[\[ ])[\w.-]+(?==)", tail)}
    names = Counter(key.rpartition(".")[2] for key in keys)

    def drop(match: re.Match[str]) -> str:
        return match[1] if names[match[1]] == 1 else match[0]

    return [
        text if match is None else text[: match.start()] + _KEY.sub(drop, match.group())
        for text, match in zip(texts, found, strict=True)
    ]


def _shorten(text: str, start: int | None, *, width: int, widest: int) -> str:
    return _cut(text, start, width=widest if _OVERRIDES.search(text) else width)


def _wrap(text: str, start: int | None, *, width: int, widest: int) -> str:
    has_overrides = _OVERRIDES.search(text) is not None
    for line_width in range(width, widest if has_overrides else width):
        lines = textwrap.wrap(text, line_width)
        if len(lines) <= 2:
            return "\n".join(lines)
    line_width = widest if has_overrides else width
    for longest in range(min(len(text), 2 * line_width), 0, -1):
        lines = textwrap.wrap(_cut(text, start, width=longest), line_width)
        if len(lines) <= 2:
            return "\n".join(lines)
    return text


def _cut(text: str, start: int | None, *, width: int) -> str:
    """Return a text that is not longer than a width: with the part from a place on, or without its middle."""
    if len(text) <= width:
        return text
    overrides = _OVERRIDES.search(text)
    if overrides is not None and width - len(overrides.group()) >= MIN_NAME:
        name, space = text[: overrides.start()], width - len(overrides.group())
        return _cut(name, start if start is not None and start < len(name) else None, width=space) + overrides.group()
    return _cut_middle(text, width) if start is None else _cut_around(text, start, width=width)


def _cut_around(text: str, start: int, *, width: int) -> str:
    """Return the beginning of a text and the part from a place on."""
    head = text[: _align(text, width // 3)].rstrip()
    start = _align(text, start)
    word = text.rfind(" ", 0, start) + 1
    begin = word if start - word <= MAX_WORD else start
    if begin <= len(head) + 1:
        return f"{text[: _align(text, width - 1)]}…"
    space = width - len(head) - 1
    if len(text) - begin <= space:
        return f"{head}…{text[-_align_end(text, space) :]}"
    return f"{head}…{text[begin : _align(text, begin + space - 1)]}…"


def _align(text: str, index: int) -> int:
    """Return an index in a text, moved before a code point that it would cut."""
    return next((one.start() for one in _CODE_POINT.finditer(text) if one.start() < index < one.end()), index)


def _align_end(text: str, size: int) -> int:
    """Return the length of an end of a text, so that it cuts no code point."""
    index = len(text) - size
    return len(text) - next((one.end() for one in _CODE_POINT.finditer(text) if one.start() < index < one.end()), index)


def _cut_middle(text: str, width: int) -> str:
    """Return a text without its middle, between words if it has any there."""
    tail_width = (width - 1) // 2
    head, tail = text[: width - 1 - tail_width], text[len(text) - tail_width :]
    words, last = head.rpartition(" ")[0], tail.partition(" ")[2]
    head = words if 2 * len(words) > len(head) else head
    tail = last if 2 * len(last) > len(tail) else tail
    return f"{head.rstrip()} … {tail.lstrip()}" if words or last else f"{head}…{tail}"
