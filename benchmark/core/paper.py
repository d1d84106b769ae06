"""Papers as data: the tables of a paper, whose rows are methods of ours, published numbers, or both.

A paper is a YAML file in `benchmark/papers`, or one of the user's own. `PAPER/TABLE` names a table wherever a study can
be named: `run` and `submit` compute its rows, `table` prints them beside the published numbers.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from benchmark.core.anchored_paths import anchor_method, anchor_value, anchor_yaml
from benchmark.core.protocol_class import Setting
from benchmark.core.resampling import Resampling
from benchmark.core.split import list_splits, name_split
from benchmark.core.study_fields import Seeds, Text, check_name
from benchmark.utils.did_you_mean import explain_missing_yaml, explain_unknown_name
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.paths import ROOT
from benchmark.utils.yaml_files import read_model

PAPERS = ROOT / "benchmark" / "papers"
DEFAULT_COLUMNS = ("miou_seen", "miou_unseen", "hiou")
Compared = Literal["pixel_accuracy", "miou_seen", "miou_unseen", "hiou", "miou"]
"""Metrics of published numbers."""


class PublishedName(FrozenModel):
    """Published numbers of a row: those of this method, and of the dataset of each column.

    Attributes:
        method: Name as published, see `chimera-bench published`.
        setting: Knowledge about unseen classes in training; empty for that of the table.
        backbone: Networks that the numbers were measured with; empty if the method has numbers with one alone.
        source: Beginning of the source; empty if there is one alone.
        on: Other names of the method by the label of a dataset, where its numbers go by another one.
    """

    method: Text
    setting: Setting = ""
    backbone: str = ""
    source: str = ""
    on: dict[str, str] = Field(default_factory=dict)

    def get_method(self, dataset: str) -> str:
        """Return the name of the method on the dataset of a label."""
        return self.on.get(dataset, self.method)


class PaperRow(FrozenModel):
    """One row of a table.

    Attributes:
        label: Name of the row, unique in the table.
        section: Heading of the rows from this one on; empty for that of the row before.
        method: "name/variant", or the path of a method file; empty for a row of published numbers alone.
        set: Overrides by dotted key.
        set_on: Further overrides by split, also for splits drawn from it: what was tuned there, as the other rows were.
        published: Published numbers; None if there are none.
        parts: Parts of the method that the row has, for a table with a tick for each.
        protocol: Protocol of the row; if empty, that of the table.
    """

    label: Text
    section: str = ""
    method: str = ""
    set: dict[str, Any] = Field(default_factory=dict)
    set_on: dict[str, dict[str, Any]] = Field(default_factory=dict)
    published: PublishedName | None = None
    parts: tuple[str, ...] = ()
    protocol: str = ""

    @field_validator("published", mode="before")
    @classmethod
    def _read_name(cls, value: object) -> object:
        return {"method": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_content(self) -> Self:
        if not self.method and self.published is None:
            raise ValueError(f"row {self.label!r} has neither a method nor published numbers: give one of them")
        if not self.method and (self.set or self.set_on or self.protocol):
            raise ValueError(f"row {self.label!r} has settings and no method: give method: NAME")
        return self

    def list_published_datasets(self) -> list[str]:
        """Return the labels of the datasets on which the method has another published name."""
        return [] if self.published is None else list(self.published.on)

    def get_overrides(self, split: str) -> dict[str, Any]:
        """Return the overrides on a split."""
        return {**self.set, **self.set_on.get(split.partition("@")[0], {})}


class PaperDataset(FrozenModel):
    """One dataset of a table: a group of its columns.

    Attributes:
        label: Name of the dataset in the table.
        split: Split of our runs, with which published numbers must agree; empty if we have none.
        resampled: Random splits of our runs, in place of `split`.
        benchmark: Name of a benchmark of published numbers that has no split; empty for those of the split.
    """

    label: Text
    split: str = ""
    resampled: Resampling | None = None
    benchmark: str = ""

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        given = [name for name in ("split", "resampled", "benchmark") if getattr(self, name)]
        if not given or set(given) == {"split", "resampled"}:
            raise ValueError(f"dataset {self.label!r} has {' and '.join(given) or 'no split'}: give split or resampled")
        return self

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits of our runs; none for published numbers alone."""
        return self.resampled.list_names() if self.resampled is not None else (self.split,) if self.split else ()


class PaperTable(FrozenModel):
    """One table of a paper.

    Attributes:
        title: Caption.
        datasets: Groups of columns.
        rows: Rows in the order of the table.
        columns: Keys of the columns of every dataset, as in `table --columns`.
        compared: Metric that is compared with published numbers.
        parts: Parts of the method with a tick mark in the rows that have them.
        baseline: Label of the row that the others are compared with; if empty, the first of ours.
        seeds: Seeds of our runs; at least one.
        protocol: Protocol of our runs; if empty, that of the split.
        setting: Setting of the published numbers.
        set: Overrides of all rows.
    """

    title: Text
    datasets: tuple[PaperDataset, ...] = Field(min_length=1)
    rows: tuple[PaperRow, ...] = Field(min_length=1)
    columns: tuple[str, ...] = Field(default=DEFAULT_COLUMNS, min_length=1)
    compared: Compared = "hiou"
    parts: tuple[str, ...] = ()
    baseline: str = ""
    seeds: Annotated[Seeds, Field(min_length=1)] = (0, 1, 2)
    protocol: str = ""
    setting: Setting = ""
    set: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        labels, datasets = [row.label for row in self.rows], [dataset.label for dataset in self.datasets]
        for names, what in ((labels, "rows"), (datasets, "datasets"), (list(self.columns), "columns")):
            twice = next((name for name, count in Counter(names).items() if count > 1), None)
            if twice is not None:
                raise ValueError(f"two {what} are called {twice!r}: give one of them another label")
        for row in self.rows:
            unknown = next((part for part in row.parts if part not in self.parts), None)
            if unknown is not None:
                raise ValueError(explain_unknown_name("part", unknown, self.parts))
            strange = next((label for label in row.list_published_datasets() if label not in datasets), None)
            if strange is not None:
                raise ValueError(explain_unknown_name("dataset", strange, datasets))
        own = [row.label for row in self.own_rows]
        if self.baseline and self.baseline not in own:
            raise ValueError(explain_unknown_name("row with a method to be the baseline", self.baseline, own))
        known = dict.fromkeys([*(name_split(name).partition("@")[0] for name in self.splits), *list_splits()])
        strange = next((name for row in self.rows for name in row.set_on if name not in known), None)
        if strange is not None:
            raise ValueError(explain_unknown_name("split in set_on", strange, known))
        return self

    @property
    def own_rows(self) -> tuple[PaperRow, ...]:
        """Rows that we run."""
        return tuple(row for row in self.rows if row.method)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits of our runs."""
        return tuple(dict.fromkeys(split for dataset in self.datasets for split in dataset.splits))


class Paper(FrozenModel):
    """The tables of a paper.

    Attributes:
        name: Name of the paper; the stem of its file.
        title: Title of the paper or name of its method.
        citation: Citation, such as "arXiv 2506.22032".
        source: Where the layout of the tables was read, and what of it is ours.
        unpublished: Reason why the paper's own numbers are missing; empty if they are among the published ones.
        tables: Tables by name.
    """

    name: Annotated[str, AfterValidator(check_name)]
    title: Text
    citation: Text
    source: Text
    unpublished: str = ""
    tables: dict[str, PaperTable] = Field(min_length=1)

    @field_validator("tables")
    @classmethod
    def _check_names(cls, tables: dict[str, PaperTable]) -> dict[str, PaperTable]:
        for name in tables:
            check_name(name)
            if set(name) & set(".+"):
                raise ValueError(f"the name of table {name!r} has a . or +, which names of plans use")
        return tables


def list_papers(folder: Path = PAPERS) -> list[str]:
    """Return the names of the included papers, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_paper(name: str, folder: Path = PAPERS) -> Paper:
    """Read a paper by name, or by the path of a YAML file, whose paths are relative to its folder.

    Raises:
        KeyError: There is no such paper; the message names the nearest.
        ValueError: The file is not a valid paper; the message says why.
    """
    is_file = name.endswith((".yaml", ".yml"))
    path = Path(name).expanduser() if is_file else folder / f"{name.replace('-', '_')}.yaml"
    if not path.is_file():
        raise KeyError(explain_missing_yaml("paper", name, list_papers(folder)))
    paper = read_model(Paper, path, kind="paper", name=path.stem)
    home = path.parent.absolute()
    tables = {key: _anchor_table(table, home) for key, table in paper.tables.items()}
    return paper.model_copy(update={"tables": tables})


def _anchor_table(table: PaperTable, folder: Path) -> PaperTable:
    """Return a table whose paths do not depend on the current folder."""
    rows = tuple(
        row.model_copy(
            update={
                "method": anchor_method(row.method, folder) if row.method else "",
                "set": anchor_value(row.set, folder),
                "set_on": anchor_value(row.set_on, folder),
                "protocol": anchor_yaml(row.protocol, folder),
            }
        )
        for row in table.rows
    )
    datasets = tuple(
        dataset.model_copy(
            update={
                "split": anchor_yaml(dataset.split, folder),
                "resampled": dataset.resampled and dataset.resampled.with_paths_in(folder),
            }
        )
        for dataset in table.datasets
    )
    return table.model_copy(
        update={
            "rows": rows,
            "datasets": datasets,
            "protocol": anchor_yaml(table.protocol, folder),
            "set": anchor_value(table.set, folder),
        }
    )
