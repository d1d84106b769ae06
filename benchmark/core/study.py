"""A study is a grid as data: rows by seeds. Planned, it is a list of runs. Nothing here runs, stores or draws anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from benchmark.core.run_spec import EngineName, RunSpec
from benchmark.utils.atomic_files import first_complaint
from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.paths import ROOT

STUDIES = ROOT / "benchmark" / "studies"


class StudyRow(FrozenModel):
    """One row of the table.

    Attributes:
        method: "name", "name/variant", or the path of a method file.
        set: dotted overrides of this row, on top of the study's.
        label: what the row is called; the variant and this row's overrides where empty.
    """

    method: str
    set: dict[str, Any] = Field(default_factory=dict)
    label: str = ""


class Study(FrozenModel):
    """A grid of rows by seeds.

    Attributes:
        name: the file's stem.
        title: caption of the table.
        rows: in the order of the table; the first is what others are compared with.
        split: which every row is trained and scored on.
        protocol: which every row is run under; the split's own where empty.
        seeds: every row is run with each.
        set: dotted overrides of every row, such as budget.iterations.
        engine: which trainer runs them.
        max_images: score only the first images (testing only); 0 for all.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=+-]*$")
    title: str
    rows: tuple[StudyRow, ...] = Field(min_length=1)
    split: str
    protocol: str = ""
    seeds: tuple[int, ...] = Field(min_length=1)
    set: dict[str, Any] = Field(default_factory=dict)
    engine: EngineName = "fabric"
    max_images: int = Field(default=0, ge=0)

    @field_validator("rows", mode="before")
    @classmethod
    def _a_row_may_be_a_name(cls, rows: object) -> object:
        return [{"method": row} if isinstance(row, str) else row for row in rows] if isinstance(rows, list) else rows

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds {list(self.seeds)} must be different and not negative")
        return self


class PlanRow(FrozenModel):
    """One row of a planned study.

    Attributes:
        label: what the row is called.
        method: registered name, or stem of the file.
        ids: of its runs, by seed.
    """

    label: str
    method: str
    ids: dict[int, str]


class Plan(FrozenModel):
    """Which runs a study consists of; read without torch.

    Attributes:
        study, title, split: of the study.
        rows: in the order of the table.
        max_images: images scored; 0 for all. A table of a limited plan must say so.
    """

    study: str
    title: str
    split: str
    rows: tuple[PlanRow, ...]
    max_images: int = 0

    @property
    def ids(self) -> tuple[str, ...]:
        """Every run, row by row."""
        return tuple(run_id for row in self.rows for run_id in row.ids.values())


@dataclass(frozen=True)
class Planned:
    """A plan and what to run for it.

    Attributes:
        plan: which runs.
        firsts: the spec of every row with the first seed of the study; the row's others differ in nothing else.
    """

    plan: Plan
    firsts: tuple[RunSpec, ...]

    @property
    def specs(self) -> tuple[RunSpec, ...]:
        """What to run, in the order of `Plan.ids`."""
        return tuple(self.specs_of(self.plan.ids))

    def specs_of(self, ids: Sequence[str]) -> list[RunSpec]:
        """What to run for some of the runs, in the order given. Raises KeyError for one that is not planned."""
        cells = zip(self.plan.rows, self.firsts, strict=True)
        known = {run_id: (first, seed) for row, first in cells for seed, run_id in row.ids.items()}
        return [first.with_seed(seed) for first, seed in (known[run_id] for run_id in ids)]


def study_names(folder: Path = STUDIES) -> list[str]:
    """The studies that ship, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_study(name: str, folder: Path = STUDIES) -> Study:
    """Read a study by name, or by the path of a YAML file.

    Raises:
        KeyError: no such study; names the nearest.
        ValueError: the file is not a valid study; says where.
    """
    import yaml

    is_file = name.endswith((".yaml", ".yml"))
    path = Path(name) if is_file else folder / f"{name}.yaml"
    if not path.is_file():
        near = map(str, sorted(path.parent.glob("*.y*ml"))) if is_file else study_names(folder)
        raise KeyError(unknown_name("study file" if is_file else "study", name, near))
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a thousand seeds take a tenth of a second without it
        given = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
        return Study.model_validate({"name": path.stem} | (given or {}))
    except ValidationError as error:
        raise ValueError(f"{path} is not a valid study: {first_complaint(error)}") from error
    except (yaml.YAMLError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a valid study: {' '.join(str(error).split())}") from error
