"""Descriptions of real datasets: class names, meaning of the mask values, and folder layouts on disk.

One YAML file in `sets/` describes one dataset. This module reads no image and does not import torch, so `data check`
and the processes that scan files start quickly.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from benchmark.core.types import get_ignore_label
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.yaml_files import read_model

SPEC_FOLDER = Path(__file__).resolve().parent / "sets"

UNDEFINED = -1
"""Table entry of mask values without a meaning."""


class MaskEncoding(FrozenModel):
    """Meaning of mask values: value = class + `offset`, or an explicit map. All other values are illegal.

    Attributes:
        classes: Number of classes; filled in by the dataset's description.
        offset: Mask value of class 0. A class whose value would be negative does not occur in masks.
        values: Class index of each mask value; replaces `offset`.
        ignored: Mask values that mean "ignore".
    """

    classes: int = Field(ge=1)
    offset: int = 0
    values: dict[int, int] | None = None
    ignored: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _check_meanings(self) -> Self:
        classes = self.map_values()
        outside = sorted({label for label in classes.values() if not 0 <= label < self.classes})
        if outside:
            raise ValueError(f"mask values stand for classes {outside[:5]}, but there are only {self.classes} classes")
        ambiguous = sorted(set(classes) & set(self.ignored))
        if ambiguous:
            raise ValueError(f"mask values {ambiguous} are both ignored and a class")
        return self

    def map_values(self) -> dict[int, int]:
        """Return the class index of every mask value that stands for a class."""
        if self.values is not None:
            return dict(self.values)
        return {label + self.offset: label for label in range(self.classes) if label + self.offset >= 0}

    def build_table(self, size: int) -> NDArray[np.int32]:
        """Tabulate the meaning of the mask values from 0 to `size` - 1.

        Args:
            size: Number of mask values: 256 for 8-bit masks, 65536 for 16-bit masks.

        Returns:
            (size,) class indices; `get_ignore_label(classes)` for ignored values, UNDEFINED for illegal ones.
        """
        table = np.full(size, UNDEFINED, dtype=np.int32)
        for value, label in self.map_values().items():
            if value < size:
                table[value] = label
        for value in self.ignored:
            if value < size:
                table[value] = get_ignore_label(self.classes)
        return table

    def describe_values(self) -> str:
        """Return the legal values as text, such as "0 to 20, and 255 for ignore"."""
        values = sorted(self.map_values())
        gaps = sorted(set(range(values[0], values[-1] + 1)) - set(values))
        text = f"{values[0]} to {values[-1]}" + (f" without {', '.join(map(str, gaps))}" if gaps else "")
        ignored = " or ".join(map(str, self.ignored))
        return f"{text}, and {ignored} for ignore" if ignored else text


class ImageSource(FrozenModel):
    """File patterns of the images of a subset, relative to the root of a layout. {} in a pattern is the image id.

    Attributes:
        images: Pattern of the images.
        masks: Patterns of the masks; the first pattern whose folder exists is used.
        encoding: Name of the mask encoding.
        list_file: File with one image id per line. If empty, every image that matches the pattern belongs to the
            subset.
    """

    images: str
    masks: tuple[str, ...] = Field(min_length=1)
    encoding: str
    list_file: str = ""
    renamed_fields: ClassVar[Mapping[str, str]] = {"ids": "encoding", "listed": "list_file"}

    @field_validator("masks", mode="before")
    @classmethod
    def _accept_one_pattern(cls, patterns: Any) -> Any:
        return (patterns,) if isinstance(patterns, str) else patterns

    @model_validator(mode="after")
    def _check_patterns(self) -> Self:
        for pattern in (self.images, *self.masks):
            folder, _, name = pattern.rpartition("/")
            if name.count("{}") != 1 or "{}" in folder:
                raise ValueError(f"pattern {pattern!r} needs exactly one {{}}, in the file name")
        return self


class DatasetLayout(FrozenModel):
    """A folder structure in which a dataset is commonly stored.

    Attributes:
        roots: Folders where the layout may start, relative to a data folder; the most complete one is used.
        subsets: Image sources by subset name.
        note: Warning to users of the layout.
    """

    roots: tuple[str, ...] = Field(min_length=1)
    subsets: dict[str, tuple[ImageSource, ...]] = Field(min_length=1)
    note: str = ""
    renamed_fields: ClassVar[Mapping[str, str]] = {"parts": "subsets"}


class DatasetSpec(FrozenModel):
    """Description of a dataset.

    Attributes:
        name: Name in the catalog; the stem of the YAML file.
        title: Human-readable name.
        classes: Class names in index order.
        image_counts: Number of images in each complete subset.
        other_image_counts: Numbers of images in complete subsets of other releases.
        optional_subsets: Subsets that only some layouts contain.
        mask_encodings: Mask encodings by name.
        layouts: Layouts by name, the preferred one first.
        download: Where to download the dataset, and what to unpack where.
        note: Warning to users of the dataset.
        raw_ade_index: Object index of each class in the full release of ADE20K; needed for its conversion.
    """

    name: str
    title: str
    classes: tuple[str, ...] = Field(min_length=1)
    image_counts: dict[str, int] = Field(min_length=1)
    other_image_counts: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    optional_subsets: tuple[str, ...] = ()
    mask_encodings: dict[str, MaskEncoding] = Field(min_length=1)
    layouts: dict[str, DatasetLayout] = Field(min_length=1)
    download: str
    note: str = ""
    raw_ade_index: tuple[int, ...] = ()
    renamed_fields: ClassVar[Mapping[str, str]] = {
        "counts": "image_counts",
        "other_counts": "other_image_counts",
        "optional": "optional_subsets",
        "ids": "mask_encodings",
        "get": "download",
    }

    @model_validator(mode="before")
    @classmethod
    def _fill_in_class_count(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping) or not isinstance(fields.get("mask_encodings"), Mapping):
            return fields
        classes = len(fields.get("classes") or ())
        encodings = {name: dict(encoding) | {"classes": classes} for name, encoding in fields["mask_encodings"].items()}
        return dict(fields) | {"mask_encodings": encodings}

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            repeated = sorted({name for name in self.classes if self.classes.count(name) > 1})
            raise ValueError(f"classes {repeated} are listed more than once")
        subsets = {subset for layout in self.layouts.values() for subset in layout.subsets}
        subsets |= {*self.optional_subsets, *self.other_image_counts}
        _check_known("subset", subsets, self.image_counts)
        _check_known("mask encoding", {source.encoding for source in self._sources()}, self.mask_encodings)
        if self.raw_ade_index and len(self.raw_ade_index) != len(self.classes):
            raise ValueError(f"raw_ade_index has {len(self.raw_ade_index)} entries, expected {len(self.classes)}")
        return self

    def _sources(self) -> list[ImageSource]:
        subsets = [sources for layout in self.layouts.values() for sources in layout.subsets.values()]
        return [source for sources in subsets for source in sources]

    def is_complete(self, subset: str, images: int) -> bool:
        """Return whether a number of images makes a subset complete."""
        return images in (self.image_counts[subset], *self.other_image_counts.get(subset, ()))

    @property
    def ignore(self) -> int:
        """Label of pixels without a class: 255, or 65535 if there are more than 255 classes."""
        return get_ignore_label(len(self.classes))


def list_dataset_specs(folder: Path = SPEC_FOLDER) -> list[str]:
    """Return the names of the described datasets, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_dataset_spec(name: str, folder: Path = SPEC_FOLDER) -> DatasetSpec:
    """Read the description of a dataset.

    Raises:
        KeyError: No dataset has this name; the message suggests the closest one.
        ValueError: The file is not a valid description; the message names the field.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise KeyError(explain_unknown_name("dataset", name, list_dataset_specs(folder)))
    return read_model(DatasetSpec, path, kind="dataset description", name=name)


def _check_known(kind: str, names: set[str], known: Mapping[str, Any]) -> None:
    unknown = sorted(names - set(known))
    if unknown:
        raise ValueError(explain_unknown_name(kind, unknown[0], known))
