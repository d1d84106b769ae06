"""Which classes are seen, which are unseen, and on which parts of which data set a method is trained and scored."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from benchmark.core.prompts import Prompts
from benchmark.utils.atomic_files import first_complaint
from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.paths import ROOT

SPLITS = ROOT / "splits"
BACKGROUND = "background"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The fast one where there is one: a split may list hundreds of names."""


class Split(FrozenModel):
    """A split by class name.

    Attributes:
        name: of the split; the file's stem.
        dataset: name in the data catalog.
        classes: every class that is scored, in the order of the score maps. Classes of the data set that are not
            listed here are IGNORE, in training and in evaluation.
        unseen: those of `classes` without masks in training: their pixels are IGNORE there (inductive setting).
        train: part of the data set that is trained on.
        evaluate: part of the data set that is scored.
        protocol: what it is run under unless another is asked for, see `benchmark.core.protocol`.
        prompts: words for the class names, where the protocol brings none.
        background: of a data set that labels what is in no class: its pixels are IGNORE ("excluded"), or a class of its
            own, first among `classes` ("class"). "none" for data sets without one.
        images: how many images a part must have; a run on fewer is refused. Parts that are not listed may have any.
        note: a warning to whoever uses the split.
        source: where the split comes from.
    """

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
    def _is_a_partition(self) -> Self:
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
        """The classes with masks in training, in order."""
        return tuple(name for name in self.classes if name not in self.unseen)

    @cached_property
    def is_seen(self) -> tuple[bool, ...]:
        """For every class, whether it is seen."""
        return tuple(name not in self.unseen for name in self.classes)


def split_names(folder: Path = SPLITS) -> list[str]:
    """The splits that ship, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_split(name: str) -> Split:
    """Read a split by name, or by the path of a YAML file.

    Raises:
        KeyError: no such split; names the nearest.
        ValueError: the file is not a valid split; says where.
    """
    path = Path(name) if name.endswith(".yaml") else SPLITS / f"{name}.yaml"
    if not path.is_file():
        raise KeyError(unknown_name("split", name, split_names()))
    try:
        fields = yaml.load(path.read_bytes(), Loader=LOADER)
        return Split.model_validate({"name": path.stem} | (fields or {}))
    except ValidationError as error:
        raise ValueError(f"{path} is not a valid split: {first_complaint(error)}") from error
    except (yaml.YAMLError, TypeError) as error:
        raise ValueError(f"{path} is not a valid split: {' '.join(str(error).split())}") from error
