"""An alarm, a sign that a result is not what it seems, and its text for one run or several."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from typing import NamedTuple

SHOWN_CLASSES = 3
"""Names that the text of an alarm lists."""


class Alarm(NamedTuple):
    """A sign that a result is not what it seems.

    Attributes:
        summary: Sign in words, equal for all runs that show it.
        wording: Further words with braces in the place of each value, equal for all runs with this summary.
        values: Numbers of this run.
        names: Classes or other names of this run.
    """

    summary: str
    wording: str = ""
    values: tuple[float, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def detail(self) -> str:
        """Numbers and names of this run in words."""
        return describe_details([self])


def describe_details(alarms: Sequence[Alarm]) -> str:
    """Return the details of alarms with the same summary: ranges of the numbers, and all names that occur."""
    values = zip(*(alarm.values for alarm in alarms), strict=True)
    texts = [_join_names([alarm.names for alarm in alarms]), alarms[0].wording.format(*map(_format_range, values))]
    return "; ".join(filter(None, texts))


def _join_names(names: Sequence[tuple[str, ...]]) -> str:
    """Return the names of several runs in one text, the most frequent first if the runs have different ones."""
    is_same = len(set(names)) == 1
    found = names[0] if is_same else [name for name, _ in Tally(name for own in names for name in own).most_common()]
    more = f" and {len(found) - SHOWN_CLASSES} more" if len(found) > SHOWN_CLASSES else ""
    return ("" if is_same else "one or more of ") + ", ".join(found[:SHOWN_CLASSES]) + more


def _format_range(values: Sequence[float]) -> str:
    texts = [str(value) if isinstance(value, int) else f"{value:.1f}" for value in (min(values), max(values))]
    return " to ".join(dict.fromkeys(texts))
