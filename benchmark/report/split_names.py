"""Names of several splits in texts and figures, without repeating what they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

SHORTEST_PREFIX = 3
"""Characters that names of splits share at least if the name of their group begins with them."""
LISTED_SPLITS = 24
"""Splits that a text lists."""


def name_splits(names: Sequence[str]) -> str:
    """Return what the names of several splits share, and how many there are: "toybox@6-s0 (12 splits)"."""
    pairs = zip(min(names), max(names), strict=False)
    prefix = "".join(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    shared = prefix if prefix in names else prefix.rstrip("0123456789").rstrip("-_@ ")
    number = f"{len(names)} splits"
    return f"{shared} ({number})" if len(shared) >= SHORTEST_PREFIX else number


def shorten_splits(names: Sequence[str]) -> list[str]:
    """Return the names of splits without what most of them share, such as "03" for toybox@6-s0-03."""
    stem, times = Counter(name.rpartition("-")[0] for name in names).most_common(1)[0]
    if times < 2 or not stem:
        return list(names)
    return [name.removeprefix(f"{stem}-") if name.rpartition("-")[0] == stem else name for name in names]


def name_first_in_full(names: Sequence[str]) -> list[str]:
    """Return the short names of splits, of those that are shortened the first one in full."""
    short = shorten_splits(names) if names else []
    first = next((index for index, name in enumerate(names) if short[index] != name), 0)
    return [names[index] if index == first else text for index, text in enumerate(short)]


def list_splits(names: Sequence[str]) -> str:
    """Return the names of splits in one text: "toybox@6-s0-03, 05, 11"; of very many, how many more there are."""
    more = len(names) - LISTED_SPLITS
    return ", ".join(name_first_in_full(names)[:LISTED_SPLITS]) + (f" and {more} more" if more > 0 else "")
