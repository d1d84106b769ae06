"""Rows of a paper's table: methods that we run, imported predictions, published numbers, or some of them together."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from benchmark.core.protocol_class import Setting
from benchmark.core.study_fields import Text
from benchmark.utils.frozen_model import FrozenModel


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


class ImportedName(FrozenModel):
    """Imported predictions of a row: those of this name, on the split of each column.

    Attributes:
        name: Name as given to `import --as`, or the ID of an imported run.
        on: Other names or IDs by the label of a dataset, where the predictions go by another one.
    """

    name: Text
    on: dict[str, str] = Field(default_factory=dict)

    def get_name(self, dataset: str) -> str:
        """Return the name of the predictions on the dataset of a label."""
        return self.on.get(dataset, self.name)


class PaperRow(FrozenModel):
    """One row of a table.

    Attributes:
        label: Name of the row, unique in the table.
        section: Heading of the rows from this one on; empty for that of the row before.
        method: "name/variant", or the path of a method file; empty for a row that we do not run.
        imported: Imported predictions in place of a method; None for a row without them.
        set: Overrides by dotted key.
        set_on: Further overrides by split, also for splits drawn from it: what was tuned there, as the other rows were.
        published: Published numbers; None if there are none.
        parts: Parts of the method that the row has, for a table with a tick for each.
        protocol: Protocol of the row; if empty, that of the table. Of several imports, those under it come first.
    """

    label: Text
    section: str = ""
    method: str = ""
    imported: ImportedName | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    set_on: dict[str, dict[str, Any]] = Field(default_factory=dict)
    published: PublishedName | None = None
    parts: tuple[str, ...] = ()
    protocol: str = ""

    @field_validator("published", mode="before")
    @classmethod
    def _read_published(cls, value: object) -> object:
        return {"method": value} if isinstance(value, str) else value

    @field_validator("imported", mode="before")
    @classmethod
    def _read_imported(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_content(self) -> Self:
        if not self.is_scored and self.published is None:
            raise ValueError(
                f"row {self.label!r} has neither a method nor imported predictions nor published numbers: give one of "
                "them (method, imported, published)"
            )
        if self.method and self.imported is not None:
            raise ValueError(f"row {self.label!r} has a method and imported predictions: remove one of them")
        if not self.method and (self.set or self.set_on):
            raise ValueError(f"row {self.label!r} has settings and no method: give method: NAME")
        if not self.is_scored and self.protocol:
            raise ValueError(f"row {self.label!r} has a protocol and published numbers alone: remove the protocol")
        return self

    @property
    def is_scored(self) -> bool:
        """Whether the row has pixel counts of ours: of a method that we run, or of imported predictions."""
        return bool(self.method) or self.imported is not None

    def list_named_datasets(self) -> list[str]:
        """Return the labels of the datasets on which the row has another published or imported name."""
        names = [self.published, self.imported]
        return [label for name in names if name is not None for label in name.on]

    def get_overrides(self, split: str) -> dict[str, Any]:
        """Return the overrides on a split."""
        return {**self.set, **self.set_on.get(split.partition("@")[0], {})}
