"""A study is a grid as data: rows by seeds. Planned, it is a list of runs. Nothing here runs, stores or draws anything.

`expand` needs torch, because it asks the method files for their configurations; everything else does not.
`benchmark.planning` calls it only where a study, or what its runs are made of, has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from benchmark.files import first_complaint
from benchmark.frozen import Frozen
from benchmark.run import EngineName, RunSpec
from benchmark.suggest import unknown_name

STUDIES = Path(__file__).resolve().parent / "studies"


class StudyRow(Frozen):
    """One row of the table.

    Attributes:
        method: "name", "name/variant", or the path of a method file.
        set: dotted overrides of this row, on top of the study's.
        label: what the row is called; the variant and this row's overrides where empty.
    """

    method: str
    set: dict[str, Any] = Field(default_factory=dict)
    label: str = ""


class Study(Frozen):
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
        limit: score only the first images (testing only); 0 for all.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=+-]*$")
    title: str
    rows: tuple[StudyRow, ...] = Field(min_length=1)
    split: str
    protocol: str = ""
    seeds: tuple[int, ...] = Field(min_length=1)
    set: dict[str, Any] = Field(default_factory=dict)
    engine: EngineName = "fabric"
    limit: int = Field(default=0, ge=0)

    @field_validator("rows", mode="before")
    @classmethod
    def _a_row_may_be_a_name(cls, rows: object) -> object:
        return [{"method": row} if isinstance(row, str) else row for row in rows] if isinstance(rows, list) else rows

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds {list(self.seeds)} must be different and not negative")
        return self


class PlanRow(Frozen):
    """One row of a planned study.

    Attributes:
        label: what the row is called.
        method: registered name, or stem of the file.
        ids: of its runs, by seed.
    """

    label: str
    method: str
    ids: dict[int, str]


class Plan(Frozen):
    """Which runs a study consists of; read without torch.

    Attributes:
        study, title, split: of the study.
        rows: in the order of the table.
        limit: images scored; 0 for all. A table of a limited plan must say so.
    """

    study: str
    title: str
    split: str
    rows: tuple[PlanRow, ...]
    limit: int = 0

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
        return [_with_seed(*known[run_id]) for run_id in ids]


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


def expand(study: Study) -> Planned:
    """Resolve every row once; its cells differ in the seed alone.

    Raises:
        KeyError, ValueError: a row cannot be resolved, or two rows are the same; names the row.
    """
    firsts = tuple(_resolved(study, row, at=at) for at, row in enumerate(study.rows, start=1))
    rows = tuple(_planned(row, first, seeds=study.seeds) for row, first in zip(study.rows, firsts, strict=True))
    _check_rows_differ(study, rows)
    return Planned(Plan(study=study.name, title=study.title, split=study.split, rows=rows, limit=study.limit), firsts)


def _planned(row: StudyRow, first: RunSpec, *, seeds: Sequence[int]) -> PlanRow:
    ids = {seed: _with_seed(first, seed).id for seed in seeds}
    return PlanRow(label=_label(row, variant=first.variant), method=first.method, ids=ids)


def _with_seed(spec: RunSpec, seed: int) -> RunSpec:
    """The same with another seed. Not `model_copy`, which would hand on the id that the spec has worked out."""
    return RunSpec.model_validate({name: getattr(spec, name) for name in RunSpec.model_fields} | {"seed": seed})


def _label(row: StudyRow, *, variant: str) -> str:
    """As given, or the variant and what is changed in this row alone."""
    changed = ", ".join(f"{key}={value}" for key, value in row.set.items())
    return row.label or (f"{variant} [{changed}]" if changed else variant)


def _resolved(study: Study, row: StudyRow, *, at: int) -> RunSpec:
    """The row with the first seed."""
    from benchmark.resolve import resolve

    overrides = {**study.set, **row.set}
    try:
        return resolve(
            row.method,
            split=study.split,
            protocol=study.protocol,
            seed=study.seeds[0],
            overrides=overrides,
            engine=study.engine,
            limit=study.limit,
        )
    except KeyError as error:
        raise KeyError(f"study {study.name!r}, row {at} ({row.method}): {error.args[0]}") from error
    except ValueError as error:
        raise ValueError(f"study {study.name!r}, row {at} ({row.method}): {error}") from error


def _check_rows_differ(study: Study, rows: Sequence[PlanRow]) -> None:
    """Two rows with one name cannot be told apart; two rows with one run would count it twice."""
    row_of: dict[str, PlanRow] = {}
    names: set[tuple[str, str]] = set()
    for row in rows:
        other = next((row_of[run_id] for run_id in row.ids.values() if run_id in row_of), None)
        if other is not None:
            raise ValueError(f"study {study.name!r}: rows {other.label!r} and {row.label!r} are the same runs")
        if (row.label, row.method) in names:
            raise ValueError(f"study {study.name!r}: two rows are called {row.label!r}; give one another label")
        row_of |= dict.fromkeys(row.ids.values(), row)
        names.add((row.label, row.method))
