"""Papers as data: the tables of a paper, whose rows are methods of ours, imported predictions or published numbers.

A paper is a YAML file in `benchmark/papers`, or one of the user's own. `PAPER/TABLE` names a table wherever a study can
be named: `run` and `submit` compute its rows, `table` prints them beside the published numbers.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from benchmark.core.paper_row import PaperRow
from benchmark.core.protocol_class import Setting
from benchmark.core.resampling import Resampling
from benchmark.core.split import list_splits
from benchmark.core.study_fields import Seeds, Text, check_name
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.frozen_model import FrozenModel, format_canonical_json

DEFAULT_COLUMNS = ("miou_seen", "miou_unseen", "hiou")
Compared = Literal["pixel_accuracy", "miou_seen", "miou_unseen", "hiou", "miou"]
"""Metrics of published numbers."""


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
    def bases(self) -> tuple[str, ...]:
        """Names of the splits, and of those that others are drawn from, without reading a file."""
        drawn = () if self.resampled is None else (self.resampled.of, *self.resampled.include)
        return tuple(Path(name.partition("@")[0]).stem for name in (self.split, *drawn) if name)

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
        baseline: Label of the row that the others are compared with; if empty, the first that we run.
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
            strange = next((label for label in row.list_named_datasets() if label not in datasets), None)
            if strange is not None:
                raise ValueError(explain_unknown_name("dataset", strange, datasets))
        scored = [row.label for row in self.scored_rows]
        if self.baseline and self.baseline not in scored:
            what = "row with a method or imported predictions to be the baseline"
            raise ValueError(explain_unknown_name(what, self.baseline, scored))
        known = dict.fromkeys([*(name for dataset in self.datasets for name in dataset.bases), *list_splits()])
        strange = next((name for row in self.rows for name in row.set_on if name not in known), None)
        if strange is not None:
            raise ValueError(explain_unknown_name("split in set_on", strange, known))
        return self

    @property
    def own_rows(self) -> tuple[PaperRow, ...]:
        """Rows that we run."""
        return tuple(row for row in self.rows if row.method)

    def digest_rows(self) -> str:
        """Return the SHA-256 of what decides which runs our rows have on a split, with paths as they are written."""
        decisive = {"label", "method", "set", "set_on", "protocol"}
        rows = [row.model_dump(mode="json", include=decisive) for row in self.own_rows]
        content = [rows, self.seeds, self.protocol, self.set]
        return hashlib.sha256(format_canonical_json(content).encode()).hexdigest()

    @property
    def scored_rows(self) -> tuple[PaperRow, ...]:
        """Rows that have pixel counts of ours: those that we run, and imported predictions."""
        return tuple(row for row in self.rows if row.is_scored)

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
