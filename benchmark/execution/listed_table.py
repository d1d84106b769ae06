"""The JSON file of a study's table, as the runs that it lists and the scores that it states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.core.environment import Environment
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.evaluation.scores import Convention
from benchmark.report.tables.json_text import DECIMALS
from benchmark.utils.validation_errors import describe_first_error

METRICS = {"hiou": "hIoU", "miou_seen": "S", "miou_unseen": "U"}
"""Compared scores: name in the file, and heading."""
TOLERANCE = 1.5 * 10.0**-DECIMALS
"""Largest distance, in points, of a stated score from the one that it rounds; means are made of rounded scores, too."""


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


@dataclass(frozen=True)
class ListedTable:
    """Finished runs of the JSON file of a table.

    Attributes:
        convention: Convention of the scores.
        runs: Label of the row and run, in the order of the file.
        remarks: Label of the row and remark, of rows whose runs are not or not all compared.
        contradictions: Label of the row and contradiction, of rows whose means are not those of their own runs.
    """

    convention: Convention
    runs: tuple[tuple[str, ListedRun], ...]
    remarks: tuple[tuple[str, str], ...] = ()
    contradictions: tuple[tuple[str, str], ...] = ()


def read_listed_table(path: Path, *, seeds: Sequence[int] = ()) -> ListedTable:
    """Read the finished runs of a table's JSON file.

    Args:
        path: File that `table --format json` wrote.
        seeds: Seeds to keep; if empty, all. The one run of a deterministic row stands for every seed.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not the JSON file of a study's table, or lists no finished run of these seeds.
    """
    try:
        value = _TableFile.model_validate_json(path.read_bytes())
        rows = [(row, row.list_finished()) for row in value.list_rows()]
    except ValidationError as error:
        advice = "write it with chimera-bench table STUDY --format json"
        problem = describe_first_error(error, _TableFile)
        raise ValueError(f"{path} is no table of this version ({problem}): {advice}") from error
    runs = tuple((row.label, run) for row, finished in rows for run in _select_seeds(finished, seeds))
    if not runs:
        raise ValueError(f"{path} lists no finished run" + (f" of the seeds {list(seeds)}" if seeds else ""))
    return ListedTable(
        convention=value.convention,
        runs=runs,
        remarks=tuple((row.label, text) for row, finished in rows for text in _list_remarks(row, finished, seeds)),
        contradictions=tuple(
            (row.label, text) for row, finished in rows for text in _list_contradictions(row, finished)
        ),
    )


def describe_misstatement(stated: ListedScores, actual: dict[str, float | None]) -> str:
    """Name the scores that are not the actual ones, None if undefined; empty if all are."""
    values = {metric: (getattr(stated, metric), value) for metric, value in actual.items()}
    return ", ".join(
        f"{METRICS[metric]} {_format_score(score)} instead of {_format_score(value)}"
        for metric, (score, value) in values.items()
        if not _is_equal(score, value)
    )


class _TableRow(BaseModel):
    label: str
    split: str | None = None
    runs: list[dict[str, Any]]
    hiou: float | None = None
    miou_seen: float | None = None
    miou_unseen: float | None = None

    def list_finished(self) -> list[ListedRun]:
        return [ListedRun.model_validate(run) for run in self.runs if run.get("state") == RunState.DONE.value]

    def list_unfinished(self, seeds: Sequence[int]) -> list[str]:
        """Return seed and state of the runs without a result."""
        unfinished = [run for run in self.runs if run.get("state") != RunState.DONE.value]
        return [
            f"seed {run.get('seed')} is {run.get('state')}"
            for run in unfinished
            if not seeds or run.get("seed") in seeds
        ]


class _TableFile(BaseModel):
    convention: Convention
    rows: list[_TableRow]

    def list_rows(self) -> list[_TableRow]:
        """Return the rows, with their split behind the label if there are several splits."""
        if len({row.split for row in self.rows}) < 2:
            return self.rows
        return [row.model_copy(update={"label": f"{row.label} on {row.split}"}) for row in self.rows]


def _is_one_result(finished: Sequence[ListedRun]) -> bool:
    return bool(finished) and all(run.is_deterministic for run in finished)


def _select_seeds(finished: Sequence[ListedRun], seeds: Sequence[int]) -> list[ListedRun]:
    """Return the runs of the seeds or, of a deterministic row without them, its first run."""
    selected = [run for run in finished if not seeds or run.spec.seed in seeds]
    return selected or (list(finished[:1]) if _is_one_result(finished) else [])


def _list_remarks(row: _TableRow, finished: Sequence[ListedRun], seeds: Sequence[int]) -> Iterator[str]:
    known = [run.spec.seed for run in finished]
    if _is_one_result(finished):
        if seeds and not set(seeds) & set(known):
            yield f"deterministic: its one run is compared (seed {known[0]})"
        return
    unfinished = row.list_unfinished(seeds)
    if unfinished or not row.runs:
        yield f"not compared: the table has no result ({', '.join(unfinished) or 'no runs'})"
    planned = {run.get("seed") for run in row.runs}
    absent = [seed for seed in seeds if seed not in planned]
    if absent and row.runs:
        yield f"not compared: the table has no run of seed {', '.join(map(str, absent))}"


def _list_contradictions(row: _TableRow, finished: Sequence[ListedRun]) -> Iterator[str]:
    """Yield what the row states otherwise than its own runs; columns that the file leaves out are not checked."""
    counted = finished[:1] if _is_one_result(finished) else finished
    stated = ListedScores.model_validate({metric: getattr(row, metric) for metric in METRICS})
    means = {metric: _compute_mean(counted, metric) for metric in METRICS if metric in row.model_fields_set}
    text = describe_misstatement(stated, means)
    if text:
        yield f"the table states other means than those of its runs: {text}"


def _compute_mean(runs: Sequence[ListedRun], metric: str) -> float | None:
    values = [getattr(run, metric) for run in runs]
    return fmean(values) if values and None not in values else None


def _is_equal(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= TOLERANCE


def _format_score(score: float | None) -> str:
    return "undefined" if score is None else f"{score:.{DECIMALS}f}"
