"""Splits: which classes are seen and unseen, and which subsets of which dataset are used."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from benchmark.core.prompts import Prompts
from benchmark.utils.did_you_mean import explain_missing_yaml
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.paths import ROOT
from benchmark.utils.yaml_files import read_model

SPLITS = ROOT / "splits"
BACKGROUND = "background"


class Split(FrozenModel):
    """Partition of a dataset's classes into seen and unseen ones.

    Attributes:
        name: Name of the split; the stem of its file.
        dataset: Name of the dataset in the data catalog.
        classes: Classes that are scored, in the order of the score maps. Other classes of the dataset are IGNORE, in
            training and in evaluation.
        unseen: Classes without masks in training; their pixels are IGNORE there (inductive setting).
        train: Subset of the dataset for training.
        evaluate: Subset of the dataset for evaluation.
        protocol: Default protocol, see `benchmark.core.protocol`.
        prompts: Texts for class names, unless the protocol has its own.
        background: Treatment of the label for pixels outside all classes, if the dataset has one: "excluded" makes its
            pixels IGNORE, "class" makes it the first of `classes`. "none" if the dataset has no such label.
        images: Required number of images by subset; a run with another number is refused. A subset that is not listed
            may have any number.
        note: Warning for users of the split; empty if there is none.
        source: Origin of the split.
    """

    # the protocol of a run is part of its spec, whether the user or the split named it
    descriptive_fields: ClassVar[frozenset[str]] = frozenset({"protocol", "note", "source"})

    name: str
    dataset: str
    classes: tuple[str, ...] = Field(min_length=1)
    unseen: tuple[str, ...]
    train: str = "train"
    evaluate: str = "test"
    protocol: str = "plain"
    prompts: Prompts = Prompts()
    background: Literal["excluded", "class", "none"] = "none"
    images: dict[str, int] = Field(default_factory=dict)
    note: str = ""
    source: str = ""

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            twice = sorted({name for name in self.classes if self.classes.count(name) > 1})
            raise ValueError(f"split {self.name!r} lists {twice} twice")
        unknown = sorted(set(self.unseen) - set(self.classes))
        if unknown:
            raise ValueError(f"split {self.name!r} withholds {unknown}, which are not among its classes")
        if (self.background == "class") != (BACKGROUND in self.classes):
            raise ValueError(
                f"split {self.name!r} says background: {self.background}, and {BACKGROUND!r} is "
                f"{'' if BACKGROUND in self.classes else 'not '}among its classes"
            )
        return self

    @cached_property
    def seen(self) -> tuple[str, ...]:
        """Classes with masks in training, in order."""
        return tuple(name for name in self.classes if name not in self.unseen)

    @cached_property
    def is_seen(self) -> tuple[bool, ...]:
        """Whether each class is seen."""
        return tuple(name not in self.unseen for name in self.classes)


def list_splits(folder: Path = SPLITS) -> list[str]:
    """Return the names of the included splits, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_split(name: str) -> Split:
    """Read a split by name, or by the path of a YAML file.

    Raises:
        KeyError: There is no such split; the message names the nearest.
        ValueError: The file is not a valid split; the message says why.
    """
    path = Path(name).expanduser() if name.endswith(".yaml") else SPLITS / f"{name}.yaml"
    if not path.is_file():
        raise KeyError(explain_missing_yaml("split", name, list_splits(), key="classes"))
    return read_model(Split, path, kind="split", name=path.stem)
