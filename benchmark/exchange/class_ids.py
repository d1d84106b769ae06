"""Meaning of the ids in label maps: which class of a split each id or color stands for.

A pixel that is predicted as no class of the split is wrong wherever its target is a class, as in mmsegmentation's
`IoUMetric`: its target counts, and it is a prediction of no class. Pixels without a target are not counted at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.core.split import BACKGROUND
from benchmark.core.types import IGNORE, WIDE_IGNORE
from benchmark.exchange.class_names import ClassNames, read_class_names
from benchmark.utils.did_you_mean import explain_unknown_name

Labels = NDArray[np.int32]
"""(H, W) indices of classes of the split, or `NO_CLASS`."""

NO_CLASS = -1
_UNKNOWN = -2
NO_CLASS_NAMES = frozenset({"", BACKGROUND, "void", "ignore", "ignored", "unlabeled", "none", "noclass", "other"})
"""Simplified names that mean no class, unless a class of the split has one of them."""
CLASSES, FROM_ONE, DATASET = "classes", "classes+1", "dataset"
RULES = (CLASSES, FROM_ONE, DATASET)
MAX_SHOWN = 6


@dataclass(frozen=True)
class ClassIds:
    """Class of the split by id.

    Attributes:
        meaning: Index of the class by id, or by color as 0xRRGGBB; `NO_CLASS` for an id that stands for no class.
        classes: Names of the K classes of the split.
        text: How ids are read, in words.
        is_by_color: Whether the label maps are color images.
        remarks: Facts that a user should know, such as classes that no id stands for; one line each.
    """

    meaning: Mapping[int, int]
    classes: tuple[str, ...]
    text: str
    is_by_color: bool = False
    remarks: tuple[str, ...] = field(default=())

    def read(self, ids: NDArray[np.integer], name: str) -> Labels:
        """Return the classes of the pixels of a label map.

        Args:
            ids: (H, W) uint8 or uint16 ids, or int32 colors.
            name: Name of the file, for error messages.

        Raises:
            ValueError: An id has no meaning; the message names the file, the ids and the known ones.
        """
        if self.is_by_color:
            labels = self._read_colors(ids)
        else:
            labels = self._tables[1 if ids.dtype == np.uint8 else 2].take(ids)
        if (labels == _UNKNOWN).any():
            raise ValueError(self._explain_unknown(np.unique(ids[labels == _UNKNOWN]).tolist(), name))
        return labels

    def read_id(self, number: int, name: str) -> int:
        """Return the class of a single id.

        Raises:
            ValueError: The id has no meaning.
        """
        if number not in self.meaning:
            raise ValueError(self._explain_unknown([number], name))
        return self.meaning[number]

    def list_names(self) -> dict[str, str | None]:
        """Return the name of the class by id, or by color such as "#800000"; None for no class."""
        names = {number: None if index == NO_CLASS else self.classes[index] for number, index in self.meaning.items()}
        return {f"#{number:06x}" if self.is_by_color else str(number): name for number, name in names.items()}

    @cached_property
    def _tables(self) -> dict[int, Labels]:
        """Class by id, by the number of bytes of an id."""
        return {size: self._build_table(256**size) for size in (1, 2)}

    def _build_table(self, size: int) -> Labels:
        table = np.full(size, _UNKNOWN, dtype=np.int32)
        for number in (IGNORE, WIDE_IGNORE):
            # among more than 255 classes, 255 in 8 bits may be a cast from -1 or a class that does not fit
            if number < size and (len(self.classes) <= IGNORE or number == WIDE_IGNORE):
                table[number] = NO_CLASS
        for number, index in self.meaning.items():
            if number < size and not (size == 256 and number == IGNORE and len(self.classes) > IGNORE):
                table[number] = index
        return table

    def _read_colors(self, colors: NDArray[np.integer]) -> Labels:
        known = np.array(sorted(self.meaning), dtype=np.int64)
        places = np.searchsorted(known, colors).clip(max=len(known) - 1)
        meanings = np.array([self.meaning[number] for number in known.tolist()], dtype=np.int32)
        return np.where(known[places] == colors, meanings[places], _UNKNOWN).astype(np.int32)

    def _explain_unknown(self, numbers: Sequence[int], name: str) -> str:
        shown = ", ".join(f"#{number:06x}" if self.is_by_color else str(number) for number in numbers[:MAX_SHOWN])
        more = f" and {len(numbers) - MAX_SHOWN} more" if len(numbers) > MAX_SHOWN else ""
        kind = "colors" if self.is_by_color else "ids"
        return f"{name} has the {kind} {shown}{more}, which have no meaning. {self._advise(numbers)}"

    def _advise(self, numbers: Sequence[int]) -> str:
        size, numbers_end = len(self.classes), max(numbers)
        if self.is_by_color:
            return f"Known are the {len(self.meaning)} colors of {self.text}: add the others, null for no class"
        if numbers == [IGNORE] and size > IGNORE:
            return f"In 8 bits, 255 could be no class or {self.classes[IGNORE]!r}: write label maps of 16 bits"
        known = f"Ids are read as {self.text}: {min(self.meaning)} to {max(self.meaning)}, and 255 for no class"
        if numbers_end == size and max(self.meaning) == size - 1:
            return f"{known}. If ids begin at 1 and 0 is no class: --ids {FROM_ONE}"
        return f"{known}. If other ids are meant: --ids FILE with the name of each id"


def make_class_ids(rule: str, *, classes: Sequence[str], dataset_classes: Sequence[str]) -> ClassIds:
    """Return the meaning of ids that a user asks for.

    Args:
        rule: "classes" (id k is class k of the split), "classes+1" (0 is no class, id k + 1 is class k), "dataset" (the
            order of the dataset's classes), the path of a file that `read_class_names` reads, or a permutation such as
            "2,0,1": the class of the split, by id.
        classes: Classes of the split.
        dataset_classes: Classes of the dataset in label order.

    Raises:
        KeyError: There is no such rule or file.
        ValueError: The file or the permutation does not fit the split.
    """
    size = len(classes)
    if rule == CLASSES:
        return ClassIds(dict(enumerate(range(size))), tuple(classes), "the order of the split's classes from 0 on")
    if rule == FROM_ONE:
        meaning = {0: NO_CLASS} | {index + 1: index for index in range(size)}
        return ClassIds(meaning, tuple(classes), "the order of the split's classes from 1 on, 0 for no class")
    if rule == DATASET:
        names = ClassNames(dict(enumerate(dataset_classes)))
        return match_names(names, classes, known=dataset_classes, text="the order of the dataset's classes from 0 on")
    if rule.replace(",", "").replace(" ", "").isdecimal():
        return _read_permutation(rule, tuple(classes))
    if not rule.lower().endswith((".json", ".txt")):
        raise KeyError(f"{explain_unknown_name('rule for ids', rule, RULES)}, FILE.json, FILE.txt or 2,0,1,…")
    path = Path(rule).expanduser()
    return match_names(read_class_names(path), classes, known=dataset_classes, text=f"the names in {path.name}")


def _read_permutation(text: str, classes: tuple[str, ...]) -> ClassIds:
    numbers = [int(part) for part in text.split(",") if part.strip()]
    if sorted(numbers) != list(range(len(classes))):
        raise ValueError(
            f"--ids {text} is no permutation of the {len(classes)} classes: give each of 0 to {len(classes) - 1} once"
        )
    return ClassIds(dict(enumerate(numbers)), classes, f"the permutation {text} of the split's classes")


def match_names(given: ClassNames, classes: Sequence[str], *, known: Iterable[str], text: str) -> ClassIds:
    """Return the meaning of ids with names; case, spaces, hyphens and underscores of names do not matter.

    Args:
        given: Names by id.
        classes: Classes of the split.
        known: Further classes of the dataset; they are no class of the split.
        text: How ids are read, in words.

    Raises:
        ValueError: A name is unknown, or no id stands for a class.
    """
    index_of = {_simplify(name): index for index, name in enumerate(classes)}
    if len(index_of) < len(classes):  # names that differ in spelling only
        index_of = {name: index for index, name in enumerate(classes)}
    others = {_simplify(name) for name in known} | NO_CLASS_NAMES
    meaning: dict[int, int] = {}
    for number, name in given.names.items():
        index = next((index_of[form] for form in (name or "", _simplify(name)) if form in index_of), NO_CLASS)
        if index == NO_CLASS and _simplify(name) not in others:
            advice = "give null for an id that is no class"
            raise ValueError(f"id {number} in {text}: {explain_unknown_name('class', name or '', classes)}; {advice}")
        meaning[number] = index
    return ClassIds(meaning, tuple(classes), text, given.is_by_color, tuple(_describe(meaning, given, classes)))


def _describe(meaning: Mapping[int, int], given: ClassNames, classes: Sequence[str]) -> Iterable[str]:
    nameless = [name for index, name in enumerate(classes) if index not in meaning.values()]
    if len(nameless) == len(classes):
        raise ValueError("no id stands for a class of the split: give the names of its classes")
    if nameless:
        yield f"no id stands for {_list(nameless)}: never predicted"
    outside = [name for number, name in given.names.items() if name and meaning[number] == NO_CLASS]
    if outside:
        yield f"no class of the split: {_list(outside)}; pixels predicted so count as wrong where there is a target"
    indices = [index for index in meaning.values() if index != NO_CLASS]
    shared = [name for index, name in enumerate(classes) if indices.count(index) > 1]
    if shared:
        yield f"several ids are read as {_list(shared)}"


def _list(names: Sequence[str]) -> str:
    more = len(names) - MAX_SHOWN
    return ", ".join(names[:MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _simplify(name: str | None) -> str:
    return (name or "").casefold().translate(str.maketrans("", "", " -_\t"))
