"""Best and second-best values of a paper's table, each within one class of the evaluation protocol."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple


class Candidate(NamedTuple):
    """A value that may be the best of its class.

    Attributes:
        key: Class: what the value may be compared within.
        value: Value, the higher the better.
        text: Value as it is printed; equal texts share a place.
    """

    key: Hashable
    value: float
    text: str


def find_places(candidates: Sequence[Candidate | None]) -> list[int]:
    """Return the place of every candidate in its class: 1 for the best, 2 for the second best, else 0.

    Classes of a single candidate have no best one. Values that print alike share a place, and two that share the first
    leave no second.

    Args:
        candidates: Values; None for those without a place.
    """
    places = []
    for candidate in candidates:
        if candidate is None:
            places.append(0)
            continue
        rivals = [other for other in candidates if other is not None and other.key == candidate.key]
        better = {other.text for other in rivals if other.value > candidate.value and other.text != candidate.text}
        num_better = sum(other.text in better for other in rivals)
        places.append(num_better + 1 if len(rivals) > 1 and num_better < 2 else 0)
    return places
