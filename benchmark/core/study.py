"""Studies: grids of rows and seeds as data, and the plans made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from benchmark.core.run_spec import EngineName, RunSpec
from benchmark.utils.did_you_mean import explain_missing_file, explain_unknown_name
from benchmark.utils.frozen_model import FrozenModel, VersionedModel
from benchmark.utils.paths import ROOT
from benchmark.utils.yaml_files import read_model

STUDIES = ROOT / "benchmark" / "studies"


class StudyRow(FrozenModel):
    """One row of a study's table.

    Attributes:
        method: "name", "name/variant", or the path of a method file, with or without "/variant".
        set: Overrides of this row by dotted key, in addition to the study's.
        label: Name of the row; if empty, the variant and this row's overrides.
    """

    method: str
    set: dict[str, Any] = Field(default_factory=dict)
    label: str = ""


class Study(FrozenModel):
    """A grid of rows and seeds.

    Attributes:
        name: Name of the study; the stem of its file.
        title: Caption of the table.
        rows: Rows in the order of the table.
        baseline: Label of the row that the others are compared with; if empty, the first.
        split: Split of all rows.
        protocol: Protocol of all rows; if empty, the split's own.
        seeds: Seeds of every row.
        set: Overrides of all rows by dotted key, such as budget.iterations.
        engine: Trainer of all rows.
        max_images: Number of images to score (testing only); 0 for all.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"limit": "max_images"}

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=+-]*$")
    title: str
    rows: tuple[StudyRow, ...] = Field(min_length=1)
    baseline: str = ""
    split: str
    protocol: str = ""
    seeds: tuple[int, ...] = Field(min_length=1)
    set: dict[str, Any] = Field(default_factory=dict)
    engine: EngineName = "fabric"
    max_images: int = Field(default=0, ge=0)

    @field_validator("rows", mode="before")
    @classmethod
    def _expand_names(cls, rows: object) -> object:
        return [{"method": row} if isinstance(row, str) else row for row in rows] if isinstance(rows, list) else rows

    @model_validator(mode="after")
    def _check_seeds(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds {list(self.seeds)} must be different and not negative")
        return self


class PlanRow(FrozenModel):
    """One row of a plan.

    Attributes:
        label: Name of the row.
        method: Registered name, or stem of the method file.
        ids: Ids of the runs by seed.
    """

    label: str
    method: str
    ids: dict[int, str]


class Plan(VersionedModel):
    """The runs of a study; read without torch.

    Attributes:
        study: Name of the study.
        title: Caption of the table.
        split: Split of all rows.
        rows: Rows in the order of the table.
        baseline: Label of the row that the others are compared with; if empty, the first.
        max_images: Number of images to score; 0 for all. A table of a limited plan must say so.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"limit": "max_images"}

    study: str
    title: str
    split: str
    rows: tuple[PlanRow, ...]
    baseline: str = ""
    max_images: int = 0

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all runs, row by row."""
        return tuple(run_id for row in self.rows for run_id in row.ids.values())


@dataclass(frozen=True)
class PlannedStudy:
    """A plan and the specs of its runs.

    Attributes:
        plan: Plan of the study.
        first_specs: Spec of every row with the study's first seed; the other runs of a row differ in the seed only.
    """

    plan: Plan
    first_specs: tuple[RunSpec, ...]

    @property
    def specs(self) -> tuple[RunSpec, ...]:
        """Specs of all runs, in the order of `Plan.ids`."""
        return tuple(self.make_specs(self.plan.ids))

    def make_specs(self, ids: Sequence[str]) -> list[RunSpec]:
        """Return the specs of some runs, in the given order.

        Raises:
            KeyError: A run is not in the plan.
        """
        rows = zip(self.plan.rows, self.first_specs, strict=True)
        known = {run_id: (first, seed) for row, first in rows for seed, run_id in row.ids.items()}
        return [first.with_seed(seed) for first, seed in (known[run_id] for run_id in ids)]


def list_studies(folder: Path = STUDIES) -> list[str]:
    """Return the names of the included studies, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_study(name: str, folder: Path = STUDIES) -> Study:
    """Read a study by name, or by the path of a YAML file.

    Relative paths in the file are relative to its folder: those of method files, of split and protocol, and values of
    `set` that are the path of an existing file.

    Raises:
        KeyError: There is no such study; the message names the nearest.
        ValueError: The file is not a valid study; the message says why.
    """
    is_file = name.endswith((".yaml", ".yml"))
    path = Path(name).expanduser() if is_file else folder / f"{name}.yaml"
    if not path.is_file():
        known = list_studies(folder)
        raise KeyError(
            explain_missing_file("study file", name, "*.y*ml")
            if is_file
            else explain_unknown_name("study", name, known)
        )
    return _anchor_paths(read_model(Study, path, kind="study", name=path.stem), path.parent.absolute())


def _anchor_paths(study: Study, folder: Path) -> Study:
    """Return a study whose paths do not depend on the current folder."""
    rows = [
        row.model_copy(update={"method": _anchor_method(row.method, folder), "set": _anchor_value(row.set, folder)})
        for row in study.rows
    ]
    files = {name: _anchor_yaml(getattr(study, name), folder) for name in ("split", "protocol")}
    return study.model_copy(update=files | {"rows": tuple(rows), "set": _anchor_value(study.set, folder)})


def _anchor_method(method: str, folder: Path) -> str:
    path, suffix, variant = method.partition(".py")
    is_file = suffix and (not variant or variant.startswith("/"))
    return f"{folder / Path(path + suffix).expanduser()}{variant}" if is_file else method


def _anchor_yaml(name: str, folder: Path) -> str:
    return str(folder / Path(name).expanduser()) if name.endswith(".yaml") else name


def _anchor_value(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _anchor_value(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_anchor_value(item, folder) for item in value]
    is_path = isinstance(value, str) and Path(value).suffix and (folder / value).is_file()
    return str(folder / value) if is_path else value
