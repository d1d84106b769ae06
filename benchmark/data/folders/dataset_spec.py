"""Real data sets described as data: names of the classes, meaning of the mask values, and where files lie on disk.

One YAML under `sets/` a data set. Nothing here touches a picture, and nothing imports torch: `data check` and the
processes that scan files start without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field, ValidationError, field_validator, model_validator

from benchmark.core.types import ignore_label
from benchmark.utils.atomic_files import first_complaint
from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.frozen_model import FrozenModel

SETS = Path(__file__).resolve().parent / "sets"

ILLEGAL = -1
"""In a table, of mask values that stand for nothing."""


class Ids(FrozenModel):
    """What the values of a mask mean: value = class + `offset`, or a map written out. All other values are illegal.

    Attributes:
        classes: how many there are; filled in by the data set.
        offset: of the values against the classes; a class whose value would be below 0 does not occur.
        values: mask value to class index, in place of `offset`.
        ignored: mask values that mean ignore.
    """

    classes: int = Field(ge=1)
    offset: int = 0
    values: dict[int, int] | None = None
    ignored: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _means_one_thing(self) -> Self:
        pairs = self.pairs()
        outside = sorted({label for label in pairs.values() if not 0 <= label < self.classes})
        if outside:
            raise ValueError(f"mask values stand for classes {outside[:5]}, and there are only {self.classes}")
        twice = sorted(set(pairs) & set(self.ignored))
        if twice:
            raise ValueError(f"mask values {twice} are both ignored and a class")
        return self

    def pairs(self) -> dict[int, int]:
        """Mask value to class index, of every value that is a class."""
        if self.values is not None:
            return dict(self.values)
        return {label + self.offset: label for label in range(self.classes) if label + self.offset >= 0}

    def table(self, size: int) -> NDArray[np.int32]:
        """What every mask value below `size` means: 256 for masks of 8 bits, 65536 for those of 16.

        Returns:
            (size,) class indices; `ignore_label(classes)` where the value means ignore; ILLEGAL elsewhere.
        """
        table = np.full(size, ILLEGAL, dtype=np.int32)
        for value, label in self.pairs().items():
            if value < size:
                table[value] = label
        for value in self.ignored:
            if value < size:
                table[value] = ignore_label(self.classes)
        return table

    def expected(self) -> str:
        """The legal values in words: "0 to 20, and 255 for ignore"."""
        values = sorted(self.pairs())
        gaps = sorted(set(range(values[0], values[-1] + 1)) - set(values))
        words = f"{values[0]} to {values[-1]}" + (f" without {', '.join(map(str, gaps))}" if gaps else "")
        ignored = " or ".join(map(str, self.ignored))
        return f"{words}, and {ignored} for ignore" if ignored else words


class Source(FrozenModel):
    """Where some of the images of a part lie, below the folder of a layout. Patterns hold {} where the image id goes.

    Attributes:
        images: pattern of the pictures.
        masks: patterns of the masks; the first whose folder exists is the one.
        ids: name of the table that the masks follow.
        listed: file with one image id a line; without it, every picture that fits the pattern belongs to the part.
    """

    images: str
    masks: tuple[str, ...] = Field(min_length=1)
    ids: str
    listed: str = ""

    @field_validator("masks", mode="before")
    @classmethod
    def _one_or_more(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _patterns_hold_an_id(self) -> Self:
        for pattern in (self.images, *self.masks):
            folder, _, name = pattern.rpartition("/")
            if name.count("{}") != 1 or "{}" in folder:
                raise ValueError(f"pattern {pattern!r} needs exactly one {{}}, in the file's name")
        return self


class Layout(FrozenModel):
    """One way in which people lay a data set out on disk.

    Attributes:
        roots: folders that it may begin at, below a folder given by the user; the first that holds most is taken.
        parts: by name, one source or several.
        note: a warning to whoever uses it.
    """

    roots: tuple[str, ...] = Field(min_length=1)
    parts: dict[str, tuple[Source, ...]] = Field(min_length=1)
    note: str = ""


class DatasetInfo(FrozenModel):
    """A data set.

    Attributes:
        name: in the catalog; the file's stem.
        title: for people.
        classes: the vocabulary, in id order.
        counts: how many images every part has when it is whole.
        other_counts: other numbers of images that whole parts have, in other releases.
        optional: parts that only some layouts hold.
        ids: tables from mask values to classes.
        layouts: by name, the preferred one first.
        get: where to get it and what to unpack where.
        note: a warning to whoever uses it.
        raw_ade_index: of ADE20K's full release, the object index that every class has there; needed to convert it.
    """

    name: str
    title: str
    classes: tuple[str, ...] = Field(min_length=1)
    counts: dict[str, int] = Field(min_length=1)
    other_counts: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    optional: tuple[str, ...] = ()
    ids: dict[str, Ids] = Field(min_length=1)
    layouts: dict[str, Layout] = Field(min_length=1)
    get: str
    note: str = ""
    raw_ade_index: tuple[int, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _tables_know_the_classes(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not isinstance(given.get("ids"), Mapping):
            return given
        classes = len(given.get("classes") or ())
        known = {name: dict(table) | {"classes": classes} for name, table in given["ids"].items()}
        return dict(given) | {"ids": known}

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"{sorted({name for name in self.classes if self.classes.count(name) > 1})} occur twice")
        parts = {part for layout in self.layouts.values() for part in layout.parts}
        parts |= {*self.optional, *self.other_counts}
        sources = [one for layout in self.layouts.values() for part in layout.parts.values() for one in part]
        for kind, used, known in (("part", parts, self.counts), ("ids", {one.ids for one in sources}, self.ids)):
            if not used <= set(known):
                raise ValueError(unknown_name(kind, sorted(used - set(known))[0], known))
        if self.raw_ade_index and len(self.raw_ade_index) != len(self.classes):
            raise ValueError(f"{len(self.raw_ade_index)} raw indices for {len(self.classes)} classes")
        return self

    def is_whole(self, part: str, images: int) -> bool:
        """Whether a part has as many images as it should."""
        return images in (self.counts[part], *self.other_counts.get(part, ()))

    @property
    def ignore(self) -> int:
        """The label of pixels that belong to no class: 255, or 65535 beside more than 255 classes."""
        return ignore_label(len(self.classes))


def info_names(folder: Path = SETS) -> list[str]:
    """The data sets that are described, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_info(name: str, folder: Path = SETS) -> DatasetInfo:
    """Read the description of a data set.

    Raises:
        KeyError: there is none of that name; names the nearest.
        ValueError: the file is not a valid description; says where.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise KeyError(unknown_name("data set", name, info_names(folder)))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return DatasetInfo.model_validate({"name": name} | (yaml.load(path.read_bytes(), Loader=loader) or {}))
    except ValidationError as error:
        raise ValueError(f"{path} does not describe a data set: {first_complaint(error)}") from error
    except (yaml.YAMLError, TypeError) as error:
        raise ValueError(f"{path} does not describe a data set: {' '.join(str(error).split())}") from error
