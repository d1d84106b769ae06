"""Studies: grids of rows and seeds as data, and the plans made from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import AfterValidator, Field, field_validator, model_validator

from benchmark.core.anchored_paths import anchor_method, anchor_value, anchor_yaml
from benchmark.core.resampling import Resampling
from benchmark.core.study_fields import Seeds, SplitChoice, Text, check_name
from benchmark.core.sweep import ROW_KEYS, Sweep
from benchmark.utils.did_you_mean import explain_missing_yaml
from benchmark.utils.paths import ROOT
from benchmark.utils.yaml_files import read_model

STUDIES = ROOT / "benchmark" / "studies"


class StudyRow(SplitChoice):
    """One row of a study's table, on each of its splits.

    Attributes:
        method: "name", "name/variant", or the path of a method file, with or without "/variant"; empty if it is swept.
        set: Overrides of this row by dotted key, in addition to the study's.
        label: Name of the row; if empty, the variant and this row's overrides and protocol. The values of sweeps are
            added to either.
        split: Splits of this row; if empty, the study's.
        protocol: Protocol of this row; if empty, the study's.
        seeds: Seeds of this row; if empty, the study's.
        weights: Path of a published checkpoint that this row starts from; empty for the method's own initial values.
        sweep: Lists of values by dotted key, or by method, split or protocol: a row for every combination of them.
    """

    method: str = ""
    set: dict[str, Any] = Field(default_factory=dict)
    label: Text = ""
    protocol: str = ""
    seeds: Seeds = ()
    weights: str = ""
    sweep: Sweep = Field(default_factory=dict)


class Study(SplitChoice):
    """A grid of rows and seeds.

    Attributes:
        name: Name of the study; the stem of its file.
        title: Caption of the table.
        rows: Rows in the order of the table; may be left out if methods are swept.
        baseline: Label of the row that the others on its split are compared with; if empty, the first.
        split: Splits of all rows that have none of their own; `splits` is read as well.
        resampled: Random splits of these rows, in place of `split`.
        protocol: Protocol of all rows that have none of their own; if empty, that of the split.
        seeds: Seeds of all rows that have none of their own.
        set: Overrides of all rows by dotted key, such as budget.iterations.
        sweep: Lists of values as in a row, for every row.
        engine: Trainer of all rows.
        max_images: Number of images to score (testing only); 0 for all.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"limit": "max_images"}

    name: Annotated[str, AfterValidator(check_name)]
    title: Text
    rows: tuple[StudyRow, ...] = Field(min_length=1)
    baseline: str = ""
    resampled: Resampling | None = None
    protocol: str = ""
    seeds: Seeds = ()
    set: dict[str, Any] = Field(default_factory=dict)
    sweep: Sweep = Field(default_factory=dict)
    engine: str = "fabric"
    max_images: int = Field(default=0, ge=0)

    @field_validator("rows", mode="before")
    @classmethod
    def _expand_names(cls, rows: object) -> object:
        return [{"method": row} if isinstance(row, str) else row for row in rows] if isinstance(rows, list) else rows

    @model_validator(mode="before")
    @classmethod
    def _add_row(cls, fields: Any) -> Any:
        """Give a study whose methods are swept the one row that it needs."""
        if not isinstance(fields, Mapping) or "rows" in fields:
            return fields
        sweep = fields.get("sweep")
        return {**fields, "rows": [{}]} if isinstance(sweep, Mapping) and "method" in sweep else fields

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if self.resampled is not None and self.split:
            raise ValueError("both split and resampled are given: remove one of them")
        _refuse_both(self.sweep, _list_fixed(self), place="the study")
        for number, row in enumerate(self.rows, start=1):
            place = f"row {number}" + (f" ({row.method})" if row.method else "")
            _refuse_both(row.sweep, _list_fixed(row), place=place)
            _refuse_both(self.sweep, [*_list_fixed(row), *row.sweep], place=place)
            for name, example in (("method", "method: NAME"), ("split", "split: NAME"), ("seeds", "seeds: [0, 1, 2]")):
                if not any(name in (*_list_given(part), *part.sweep) for part in (row, self)):
                    raise ValueError(f"{place} has no {name}: give {example}")
        return self

    def list_splits(self) -> tuple[str, ...]:
        """Return the names or paths of the splits of rows that have none of their own.

        Raises:
            KeyError: A split that the others are drawn from is unknown.
            ValueError: The splits cannot be drawn; the message says why.
        """
        return self.split if self.resampled is None else self.resampled.list_names()


def _list_given(part: StudyRow | Study) -> list[str]:
    """Return the fields of rows that a study or a row gives."""
    is_resampled = getattr(part, "resampled", None) is not None
    given = [key for key in (*ROW_KEYS, "seeds") if getattr(part, key, ())]
    return [*given, "split", "resampled"] if is_resampled else given


def _list_fixed(part: StudyRow | Study) -> list[str]:
    """Return the keys that a study or a row sets to one value."""
    return [*part.set, *_list_given(part)]


def _refuse_both(sweep: Iterable[str], fixed: Collection[str], *, place: str) -> None:
    for key in sweep:
        if key in fixed:
            raise ValueError(f"{key} is swept, and {place} gives it too{_name_field(key, fixed)}: remove one of them")


def _name_field(key: str, fixed: Collection[str]) -> str:
    """Return the field that gives splits in other words; empty if it is called as the key."""
    return ", as resampled" if key == "split" and "resampled" in fixed else ""


PartT = TypeVar("PartT", StudyRow, Study)


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
        raise KeyError(explain_missing_yaml("study", name, list_studies(folder)))
    return _anchor_paths(read_model(Study, path, kind="study", name=path.stem), path.parent.absolute())


def _anchor_paths(study: Study, folder: Path) -> Study:
    """Return a study whose paths do not depend on the current folder."""
    rows = tuple(_anchor_row(row, folder) for row in study.rows)
    resampled = study.resampled and study.resampled.with_paths_in(folder)
    return _anchor_fields(study, folder, rows=rows, resampled=resampled)


def _anchor_row(row: StudyRow, folder: Path) -> StudyRow:
    weights = str(folder / Path(row.weights).expanduser()) if row.weights else ""
    return _anchor_fields(row, folder, method=anchor_method(row.method, folder), weights=weights)


def _anchor_fields(part: PartT, folder: Path, **fields: Any) -> PartT:
    """Return a study or a row with the paths in `set`, `split` and `protocol` anchored, and other values of fields."""
    files = {
        "set": anchor_value(part.set, folder),
        "split": tuple(anchor_yaml(name, folder) for name in part.split),
        "protocol": anchor_yaml(part.protocol, folder),
        "sweep": {key: tuple(_anchor_swept(key, value, folder) for value in part.sweep[key]) for key in part.sweep},
    }
    return part.model_copy(update=files | fields)


def _anchor_swept(key: str, value: Any, folder: Path) -> Any:
    anchor = {"method": anchor_method, "split": anchor_yaml, "protocol": anchor_yaml}.get(key)
    return anchor_value(value, folder) if anchor is None else anchor(value, folder)
