"""Differences between two methods on single classes and on kinds of classes, over one split or several."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.core.split import load_split
from benchmark.evaluation.scores import Floats
from benchmark.report.rows import Row

Pairs = Sequence[tuple[Row, Row]]
"""Both methods on every split."""


@dataclass(frozen=True)
class ClassDifference:
    """IoU of one class, or mean IoU of a kind of classes, in percent, means over the runs.

    Attributes:
        name: Name of the class or kind.
        is_seen: Whether the IoU is that on splits on which the class has masks in training.
        a: IoU of method A; nan if the convention leaves the class out.
        b: IoU of method B.
        num_splits: Number of splits behind the means.
    """

    name: str
    is_seen: bool
    a: float
    b: float
    num_splits: int = 1

    @property
    def difference(self) -> float:
        """The difference a - b."""
        return self.a - self.b


def compare_classes(pairs: Pairs) -> tuple[ClassDifference, ...]:
    """Return the mean IoU of every class over the splits on which it is seen, and over those on which it is unseen.

    Args:
        pairs: Both methods on every split.

    Returns:
        One split: its classes, in its order. Several splits: first classes where they are seen, then where unseen.
    """
    names = pairs[0][0].counts[0].classes
    classes = [*_compare_groups(pairs, {name: (name,) for name in names})]
    return tuple(classes if len(pairs) > 1 else sorted(classes, key=lambda one: names.index(one.name)))


def compare_kinds(pairs: Pairs) -> tuple[ClassDifference, ...]:
    """Return the mean IoU of every kind of classes, such as things, first of its seen classes, then of the unseen ones.

    On each split it is the mean over the classes of the kind; every split counts the same. Kinds are those of the
    first split's file. If that is not at hand, or names none, nothing is returned.

    Args:
        pairs: Both methods on every split.
    """
    try:
        kinds = load_split(pairs[0][0].split).kinds
    except (KeyError, ValueError):  # runs can be compared without the file of their split
        kinds = {}
    return tuple(_compare_groups(pairs, kinds))


def _compare_groups(pairs: Pairs, groups: Mapping[str, tuple[str, ...]]) -> Iterator[ClassDifference]:
    """Yield the mean IoU of groups of classes, first of their seen classes, then of the unseen ones."""
    counts = [row.counts[0] for row, _ in pairs]
    seen = np.array([some.seen for some in counts])  # (splits, K)
    iou = np.array([[_average_iou(row) for row in pair] for pair in pairs])  # (splits, 2, K)
    for is_seen in (True, False):
        for name, members in groups.items():
            has_role = (seen == is_seen) & _mark_members(counts[0].classes, members)  # (splits, K)
            if has_role.any():
                yield _average_group(name, iou, has_role, is_seen=is_seen)


def _mark_members(classes: Sequence[str], members: Collection[str]) -> NDArray[np.bool_]:
    """Return which classes are members, (K,) bool."""
    return np.array([name in members for name in classes])


def _average_group(name: str, iou: Floats, has_role: NDArray[np.bool_], *, is_seen: bool) -> ClassDifference:
    """Return the means over splits of the mean over the classes that count, (splits, 2, K) and (splits, K)."""
    is_known = has_role & ~np.isnan(iou).any(axis=1)  # (splits, K)
    by_split = [values[:, known].mean(axis=1) for values, known in zip(iou, is_known, strict=True) if known.any()]
    a, b = np.mean(by_split, axis=0).tolist() if by_split else (np.nan, np.nan)
    return ClassDifference(name, is_seen, a, b, len(by_split))


def _average_iou(row: Row) -> Floats:
    """Return the (K,) IoU of every class."""
    seen, unseen = (row.average_iou(is_seen=kind) for kind in (True, False))
    return np.where(row.counts[0].seen, seen, unseen)
