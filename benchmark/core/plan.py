"""Plans: the runs that a study was resolved into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field, ValidationInfo, model_validator

from benchmark.core.run_spec import RunSpec
from benchmark.utils.frozen_model import FrozenModel, VersionedModel

PLAN_FORMAT = 4
"""Version of the files of plans, see `Plan`. A plan of another version is replaced by planning again."""
FORMAT_WITH_ONE_SPLIT = 3


class PlanRow(FrozenModel):
    """One row of a plan, on one split.

    Attributes:
        label: Name of the row, unique among the rows of its split and method.
        method: Registered name, or stem of the method file.
        split: Name of the split.
        ids: Ids of the runs by seed.
        is_deterministic: Whether the one run stands for all seeds, because they give the same result.
        study: Studies, or other names, that a report has the row from; empty in the plan of a study itself.
    """

    label: str
    method: str
    split: str
    ids: dict[int, str]
    is_deterministic: bool = False
    study: str = Field(default="", exclude=True)


class Plan(VersionedModel):
    """The runs of a study; read without torch. Files of format 3, which have one split for all rows, are read too.

    Attributes:
        study: Name of the study.
        title: Caption of the table.
        rows: Rows in the order of the table, grouped by split.
        baseline: Label of the row that the others on its split are compared with; if empty, the first.
        max_images: Number of images to score; 0 for all. A table of a limited plan must say so.
        rows_digest: Digest of the rows of the paper's table that the plan is of, as they were then; empty for a plan of
            any other study.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"limit": "max_images"}
    renewal: ClassVar[str] = "plan the study again"

    format: int = PLAN_FORMAT
    study: str
    title: str
    rows: tuple[PlanRow, ...]
    baseline: str = ""
    max_images: int = 0
    rows_digest: str = ""

    @model_validator(mode="before")
    @classmethod
    def _give_rows_their_split(cls, fields: Any, info: ValidationInfo) -> Any:
        """Return the fields of a file of format 3 as those of the present format, and others as they are."""
        if info.mode != "json" or not isinstance(fields, dict) or fields.get("format") != FORMAT_WITH_ONE_SPLIT:
            return fields
        rows, split = fields.get("rows"), fields.get("split")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or split is None:
            return fields
        kept = {name: value for name, value in fields.items() if name != "split"}
        return {**kept, "format": PLAN_FORMAT, "rows": [{**row, "split": split} for row in rows]}

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all runs, row by row."""
        return tuple(run_id for row in self.rows for run_id in row.ids.values())

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits in the order of the rows."""
        return tuple(dict.fromkeys(row.split for row in self.rows))


@dataclass(frozen=True)
class PlannedStudy:
    """A plan and the specs of its runs.

    Attributes:
        plan: Plan of the study.
        first_specs: Spec of every row with its first seed; the other runs of a row differ in the seed only.
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
