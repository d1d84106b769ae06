"""Rows of the JSON file of a study's table: what it lists of every run, and what it states of rows and splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator

from benchmark.core.environment import Environment
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.evaluation.scores import Convention


class ListedScores(BaseModel):
    """Scores in percent that the file states; None if undefined.

    Attributes:
        hiou: hIoU.
        miou_seen: Mean IoU of the seen classes.
        miou_unseen: Mean IoU of the unseen classes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    hiou: float | None
    miou_seen: float | None
    miou_unseen: float | None


class ListedRun(ListedScores):
    """A run as the JSON file of a table lists it; further entries are ignored.

    Attributes:
        spec: Spec of the run.
        counts_digest: Digest of its counts.
        environment: Environment that it was computed in.
        is_deterministic: Whether every seed gives this result.
        code: Digest of each file of the package that can change the result.
        inputs: SHA-256 of each weight, embedding and prompt file that was read.
    """

    spec: RunSpec
    counts_digest: str
    environment: Environment
    is_deterministic: bool
    code: dict[str, str]
    inputs: dict[str, str]


class StatedRow(BaseModel):
    """Scores that the file states of a row; columns that it leaves out are not among `model_fields_set`.

    Attributes:
        label: Label of the row.
        method: Name of the method.
        group: Name of the group of rows.
        hiou: Mean hIoU.
        miou_seen: Mean over the runs of the mean IoU of the seen classes.
        miou_unseen: Mean over the runs of the mean IoU of the unseen classes.
        hiou_difference: Difference of hIoU to the baseline; None if there is none.
    """

    label: str
    method: str = ""
    group: str = ""
    hiou: float | None = None
    miou_seen: float | None = None
    miou_unseen: float | None = None
    hiou_difference: float | None = None


class SplitRow(StatedRow):
    """A row on one split.

    Attributes:
        split: Name of the split.
        runs: Facts and scores of every run, as the file has them.
    """

    split: str | None = None
    runs: list[dict[str, Any]]

    def list_finished(self) -> list[ListedRun]:
        """Return the runs with a result."""
        return [ListedRun.model_validate(run) for run in self.runs if run.get("state") == RunState.DONE.value]

    def list_unfinished(self, seeds: Sequence[int]) -> list[str]:
        """Return seed and state of the runs without a result."""
        unfinished = [run for run in self.runs if run.get("state") != RunState.DONE.value]
        return [
            f"seed {run.get('seed')} is {run.get('state')}"
            for run in unfinished
            if not seeds or run.get("seed") in seeds
        ]


class StatedSplit(NamedTuple):
    """Unseen classes that the file states of a split.

    Attributes:
        name: Name of the group of rows on this split.
        unseen: Names of the unseen classes.
        ids: IDs of the finished runs of the group.
    """

    name: str
    unseen: tuple[str, ...]
    ids: frozenset[str]


class RowGroupFacts(BaseModel):
    """Facts of the rows on one split.

    Attributes:
        name: Name of the group.
        baseline: Label of the row that the others are compared with; None if there is none.
        classes: Names of all classes.
        seen: Whether each has masks in training.
    """

    name: str = ""
    baseline: str | None = None
    classes: list[str] = []
    seen: list[bool] = []

    def list_unseen(self) -> tuple[str, ...]:
        """Return the classes without masks in training."""
        return tuple(name for name, is_seen in zip(self.classes, self.seen, strict=False) if not is_seen)


class PoolSplit(BaseModel):
    """A split of rows over several.

    Attributes:
        name: Name of the group of rows on this split.
        unseen: Names of the unseen classes.
    """

    name: str
    unseen: list[str]


class PoolFacts(BaseModel):
    """Rows over several splits.

    Attributes:
        baseline: Label of the row that the others are compared with; None if there is none.
        splits: The splits.
        rows: Means over them.
    """

    baseline: str | None = None
    splits: list[PoolSplit]
    rows: list[StatedRow]


class TableFile(RowGroupFacts):
    """The JSON file of a table; the facts of the only group stand at the top.

    Attributes:
        convention: Convention of the scores.
        code: Digest of each source file, by the `code_digest` of the runs that used it.
        groups: Facts of the groups if there are several.
        pooled: Rows over several splits.
        rows: Rows on one split.
    """

    convention: Convention
    code: dict[str, dict[str, str]]
    groups: list[RowGroupFacts] = []
    pooled: list[PoolFacts] = []
    rows: list[SplitRow]

    @model_validator(mode="after")
    def _assign_code(self) -> Self:
        """Give every run the source files of its `code_digest`; a run without them lacks the entry `code`."""
        for row in self.rows:
            row.runs = [run | self._find_code(run.get("code_digest")) for run in row.runs]
        return self

    def _find_code(self, digest: str | None) -> dict[str, dict[str, str]]:
        return {"code": self.code[digest]} if digest in self.code else {}

    def list_rows(self) -> list[SplitRow]:
        """Return the rows, with their split behind the label if there are several splits."""
        if len({row.split for row in self.rows}) < 2:
            return self.rows
        return [row.model_copy(update={"label": f"{row.label} on {row.split}"}) for row in self.rows]

    def find_group(self, name: str) -> RowGroupFacts | None:
        """Return the facts of a group on one split; None if there is none of this name."""
        return next((group for group in self.groups or [self] if group.name == name), None)

    def list_splits(self) -> list[StatedSplit]:
        """Return what the file states of the splits, each statement once."""
        groups = [group for group in self.groups or [self] if group.classes]
        stated = [(group.name, group.list_unseen()) for group in groups]
        stated += [(split.name, tuple(split.unseen)) for pool in self.pooled for split in pool.splits]
        ids: dict[str, set[str]] = {}
        for row in self.rows:
            ids.setdefault(row.group, set()).update(run.spec.id for run in row.list_finished())
        return [StatedSplit(name, unseen, frozenset(ids.get(name, ()))) for name, unseen in dict.fromkeys(stated)]


def is_one_result(finished: Sequence[ListedRun]) -> bool:
    """Return whether the first of these runs gives the result of every seed."""
    return bool(finished) and all(run.is_deterministic for run in finished)
