"""Draws of unseen classes that are addressed by a name, such as toybox@stuff3+things3-s0-03.

The name says everything about a draw, so a drawn split needs no file: draw number 3 (from 0) with seed 0, of three
classes of each of two kinds of the split `toybox`. Without kinds, it is `toybox@6-s0-03`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count as count_up
from pathlib import Path

from benchmark.core.seeding import KeyedRandom
from benchmark.utils.did_you_mean import explain_unknown_name

MAX_DRAWS = 1000
"""Number of draws that a seed gives."""
ANY_KIND = ""
"""Kind of draws among all classes."""
KIND_NAME = r"[a-z]+(?:_[a-z]+)*"
_DRAW = re.compile(rf"(?P<parts>\d+|{KIND_NAME}\d+(?:\+{KIND_NAME}\d+)*)-s(?P<seed>\d+)-(?P<number>\d+)")
_PART = re.compile(rf"({KIND_NAME})?(\d+)")

Pools = Mapping[str, Sequence[str]]
"""Classes that may be unseen, by kind."""


@dataclass(frozen=True)
class SplitDraw:
    """Address of one random choice of unseen classes.

    Attributes:
        base: Name of the split that is drawn from, or path of its file.
        unseen: Number of unseen classes by kind, in the order of the base; `ANY_KIND` for a draw among all classes.
        seed: Seed of the draws.
        number: Number of the draw, from 0.
    """

    base: str
    unseen: tuple[tuple[str, int], ...]
    seed: int
    number: int

    def __str__(self) -> str:
        return f"{self.base}@{self.suffix}"

    @property
    def suffix(self) -> str:
        """What follows the base and @ in the name."""
        parts = "+".join(f"{kind}{count}" for kind, count in self.unseen)
        return f"{parts}-s{self.seed}-{self.number:02d}"


def is_drawn(name: str) -> bool:
    """Return whether a name is that of a drawn split and not that of a file."""
    return "@" in name and not name.endswith(".yaml")


def parse_draw(name: str) -> SplitDraw:
    """Read the name of a drawn split.

    Raises:
        ValueError: The name has another form; the message says which.
    """
    base, _, suffix = name.rpartition("@")
    match = _DRAW.fullmatch(suffix)
    if match is None or not base:
        check_single(name)
        raise ValueError(
            f"{name!r} is no name of a drawn split: expected SPLIT@COUNT-sSEED-NUMBER, such as "
            f"{base or 'toybox'}@6-s0-00 or {base or 'toybox'}@stuff3+things3-s0-00; kinds have names of a-z and _"
        )
    if "@" in Path(base).name:
        check_single(name)
    check_base(base)
    parts = [_PART.fullmatch(part) for part in match["parts"].split("+")]
    unseen = tuple((part[1] or ANY_KIND, int(part[2])) for part in parts if part is not None)
    draw = SplitDraw(base, unseen, int(match["seed"]), int(match["number"]))
    if draw.suffix != suffix:  # a split with two names would be run twice
        raise ValueError(f"{name!r} is written {str(draw)!r}")
    return draw


def check_single(name: str) -> None:
    """Check that the name of an unknown split is not meant for several.

    Raises:
        ValueError: The name is a list or a pattern.
    """
    if "," in name:
        raise ValueError(f"{name!r} is no split: name one split at a time, without commas")
    if set(name) & set("*?["):
        raise ValueError(f"{name!r} is a pattern, which only reports of finished runs take: name each split")


def check_base(base: str) -> None:
    """Check that splits may be drawn from a split.

    Args:
        base: Name of the split or path of its file.

    Raises:
        ValueError: The split is itself drawn.
    """
    if "@" in Path(base).name:
        raise ValueError(f"{base!r} is itself drawn: draw from {base.rpartition('@')[0]!r}")


def draw_unseen(draw: SplitDraw, pools: Pools) -> frozenset[str]:
    """Draw the unseen classes of a split.

    The draws of a seed are uniform and independent, but for repeated sets, which are skipped. So draw number i is the
    same however many others there are.

    Args:
        draw: Address of the draw.
        pools: Classes that may be unseen by kind, those of `ANY_KIND` being all of them.

    Raises:
        KeyError: There is no such kind; the message names the nearest.
        ValueError: There are too few classes, or fewer sets of them than draws.
    """
    unseen = _order_kinds(draw, pools)
    for kind, count in unseen:
        _check_count(draw, kind, count, available=len(pools[kind]))
    total = min(MAX_DRAWS, count_sets(draw, pools))
    if draw.number >= total:
        raise ValueError(f"there is no split {str(draw)!r}: {explain_total(total)}, numbered from 0")
    chosen = tuple((kind, count, tuple(pools[kind])) for kind, count in unseen)
    wanted = min(total, 2 ** draw.number.bit_length())  # so that few sequences are kept
    return _draw_sets(chosen, draw.seed, wanted)[draw.number]


def explain_total(total: int) -> str:
    """Return how many splits may be drawn, as a part of an error message."""
    return f"at most {MAX_DRAWS} are drawn" if total >= MAX_DRAWS else f"only {total} different ones exist"


def count_sets(draw: SplitDraw, pools: Pools) -> int:
    """Return the number of different sets of unseen classes that may be drawn."""
    return math.prod(math.comb(len(pools[kind]), count) for kind, count in draw.unseen)


def _order_kinds(draw: SplitDraw, pools: Pools) -> tuple[tuple[str, int], ...]:
    """Return the counts by kind after checking that each kind exists, once, and in the order of the base."""
    kinds, known = [kind for kind, _ in draw.unseen], list(pools)
    check_kinds(kinds, [name for name in known if name != ANY_KIND], base=draw.base)
    if len(set(kinds)) < len(kinds) or kinds != sorted(kinds, key=known.index):
        counts = dict(sorted(draw.unseen, key=lambda item: known.index(item[0])))
        right = SplitDraw(draw.base, tuple(counts.items()), draw.seed, draw.number)
        raise ValueError(f"{str(draw)!r} does not name kinds once, in the order of the base: write {str(right)!r}")
    return draw.unseen


def check_kinds(kinds: Iterable[str], known: Collection[str], *, base: str) -> None:
    """Check that a split has kinds of classes.

    Args:
        kinds: Kinds to check; `ANY_KIND` is none that needs to exist.
        known: Kinds of the split.
        base: Name of the split, for the message.

    Raises:
        KeyError: The split has other kinds.
        ValueError: The split has no kinds.
    """
    unknown = next((kind for kind in kinds if kind not in (ANY_KIND, *known)), None)
    if unknown is not None and not known:
        raise ValueError(f"split {base!r} has no kinds of classes, such as {unknown!r}: draw without, or add kinds")
    if unknown is not None:
        raise KeyError(explain_unknown_name(f"kind of classes in split {base!r}", unknown, known))


def _check_count(draw: SplitDraw, kind: str, count: int, *, available: int) -> None:
    if count < 1:
        raise ValueError(f"{str(draw)!r} draws no {kind or 'classes'}: give a number from 1")
    if count > available:
        of_kind = f" of kind {kind!r}" if kind else ""
        raise ValueError(
            f"split {draw.base!r} has {available} classes{of_kind} that may be unseen, and {count} are asked for"
        )


@lru_cache(maxsize=32)
def _draw_sets(
    chosen: tuple[tuple[str, int, tuple[str, ...]], ...], seed: int, number: int
) -> tuple[frozenset[str], ...]:
    """Return the first different sets of a seed.

    Args:
        chosen: Kind, count of classes to draw, and classes to draw from.
        seed: Seed of the draws.
        number: Number of sets; not larger than the number of different ones.
    """
    found: dict[frozenset[str], None] = {}
    for attempt in count_up():
        names = [
            name
            for kind, count, classes in chosen
            for name in KeyedRandom("unseen classes", seed, attempt, kind).sample(classes, count)
        ]
        found[frozenset(names)] = None
        if len(found) == number:
            break
    return tuple(found)
