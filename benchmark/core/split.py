"""Splits: which classes are seen and unseen, and which subsets of which dataset are used."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from benchmark.core.prompts import Prompts
from benchmark.core.split_draw import ANY_KIND, KIND_NAME, SplitDraw, check_single, draw_unseen, is_drawn, parse_draw
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
        kinds: Groups of classes by name, such as stuff and things, for draws of other splits that balance them.
        never_unseen: Classes that no split drawn from this one withholds, because tuning or pre-training used them.
        note: Warning for users of the split; empty if there is none.
        source: Origin of the split.
    """

    # the protocol of a run is part of its spec, whether the user or the split named it
    descriptive_fields: ClassVar[frozenset[str]] = frozenset({"protocol", "kinds", "never_unseen", "note", "source"})

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
    kinds: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    never_unseen: tuple[str, ...] = ()
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

    @model_validator(mode="after")
    def _check_kinds(self) -> Self:
        for field, names in {"never_unseen": self.never_unseen, **self._kinds_by_field}.items():
            unknown = sorted(set(names) - set(self.classes))
            if unknown:
                raise ValueError(f"{field} of split {self.name!r} lists {unknown}, which are not among its classes")
        grouped = [name for names in self.kinds.values() for name in names]
        twice = sorted({name for name in grouped if grouped.count(name) > 1})
        if twice:
            raise ValueError(f"kinds of split {self.name!r} list {twice} twice: give each class one kind")
        missing = sorted(set(self.classes) - {*grouped, *self.never_unseen, BACKGROUND})
        if self.kinds and missing:
            raise ValueError(f"kinds of split {self.name!r} leave out {missing}: give each class one kind")
        wrong = next((kind for kind in self.kinds if not re.fullmatch(KIND_NAME, kind)), None)
        if wrong is not None:
            raise ValueError(f"kind {wrong!r} of split {self.name!r}: expected a name of a-z and _, such as things")
        return self

    @property
    def _kinds_by_field(self) -> dict[str, tuple[str, ...]]:
        return {f"kinds.{kind}": names for kind, names in self.kinds.items()}

    @property
    def drawable(self) -> dict[str, tuple[str, ...]]:
        """Classes that a drawn split may withhold by kind, in order; `ANY_KIND` for those of all kinds."""
        allowed = [name for name in self.classes if name not in (*self.never_unseen, BACKGROUND)]
        groups = {ANY_KIND: self.classes, **self.kinds}
        return {kind: tuple(name for name in allowed if name in names) for kind, names in groups.items()}

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


def find_split_file(name: str) -> Path | None:
    """Return the file that a split is read from, or the one that it is drawn from.

    Args:
        name: Argument of `load_split`.

    Returns:
        Path as given; None for splits that are given by name.
    """
    file = parse_draw(name).base if is_drawn(name) else name
    return Path(file).expanduser() if file.endswith(".yaml") else None


def name_split(source: str) -> str:
    """Return the name of a split that is given by its name or the path of its file.

    Args:
        source: Argument of `load_split`.
    """
    file = find_split_file(source)
    if file is None:
        return source
    return f"{file.stem}@{parse_draw(source).suffix}" if is_drawn(source) else file.stem


def load_split(name: str) -> Split:
    """Read a split by name or by the path of a YAML file, or draw one by its name, see `split_draw`.

    A file in the folder of splits precedes a draw of the same name.

    Raises:
        KeyError: There is no such split; the message names the nearest.
        ValueError: The file is not a valid split, or the draw is impossible; the message says why.
    """
    path = Path(name).expanduser() if name.endswith(".yaml") else SPLITS / f"{name}.yaml"
    if path.is_file():
        return read_model(Split, path, kind="split", name=path.stem)
    if is_drawn(name):
        draw = parse_draw(name)
        return draw_split(load_split(draw.base), draw)
    check_single(name)
    raise KeyError(explain_missing_yaml("split", name, list_splits(), key="classes"))


def draw_split(base: Split, draw: SplitDraw) -> Split:
    """Return a split with other unseen classes, drawn from those of a base split.

    Args:
        base: Split that `draw` names.
        draw: Address of the draw.

    Raises:
        KeyError: There is no such kind of classes.
        ValueError: There are too few classes, or fewer sets of them than draws.
    """
    unseen = draw_unseen(draw, base.drawable)
    if len(unseen) == len(base.classes):
        raise ValueError(f"{str(draw)!r} leaves no seen class: draw fewer than {len(base.classes)}")
    fields = {name: getattr(base, name) for name in Split.model_fields}  # not a copy, which keeps cached properties
    drawn = {
        "name": f"{base.name}@{draw.suffix}",
        "unseen": tuple(name for name in base.classes if name in unseen),
        "note": base.note and f"note of {base.name}: {base.note}",
        "source": f"drawn from {base.name}",
    }
    return Split.model_validate(fields | drawn)
