"""The JSON file of a study's table, as the runs that it lists and the scores that it states."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from benchmark.core.paper_tables import is_table, read_name
from benchmark.execution.listed_rows import ListedRun, SplitRow, StatedSplit, TableFile, is_one_result
from benchmark.utils.validation_errors import describe_first_error


@dataclass(frozen=True)
class ListedTable:
    """Finished runs of the JSON file of a table.

    Attributes:
        file: All that the file states.
        runs: Label of the row and run, in the order of the file.
        remarks: Label of the row and remark, of rows whose runs are not or not all compared.
        splits: Unseen classes that the file states of each split.
    """

    file: TableFile
    runs: tuple[tuple[str, ListedRun], ...]
    remarks: tuple[tuple[str, str], ...] = ()
    splits: tuple[StatedSplit, ...] = ()


def read_listed_table(path: Path, *, seeds: Sequence[int] = (), plans: Sequence[str] = ()) -> ListedTable:
    """Read the finished runs of a table's JSON file.

    Args:
        path: File that `table --format json` wrote.
        seeds: Seeds to keep; if empty, all. The one run of a deterministic row stands for every seed.
        plans: Names of saved plans, which a message may give for what the file is of.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not the JSON file of a study's table, or lists no finished run of these seeds.
    """
    content = path.read_bytes()
    try:
        value = TableFile.model_validate_json(content)
        rows = [(row, row.list_finished()) for row in value.list_rows()]
    except ValidationError as error:
        problem = describe_first_error(error, TableFile)
        raise ValueError(f"{path} is {_describe_other_file(content, problem, plans)}") from error
    runs = tuple((row.label, run) for row, finished in rows for run in _select_seeds(finished, seeds))
    if not runs:
        raise ValueError(f"{path} lists no finished run" + (f" of the seeds {list(seeds)}" if seeds else ""))
    return ListedTable(
        file=value,
        runs=runs,
        remarks=tuple((row.label, text) for row, finished in rows for text in _list_remarks(row, finished, seeds)),
        splits=tuple(value.list_splits()),
    )


def _describe_other_file(content: bytes, problem: str, plans: Sequence[str]) -> str:
    """Return what a file is that lists no counts of runs, what is expected, and the command that writes it."""
    names, kind, value = ["STUDY"], "not the JSON file of a table", None
    try:
        value = json.loads(content)
    except ValueError as error:
        kind, problem = "not JSON", str(error)
    if isinstance(value, list):
        problem = "it holds a list"
    elif isinstance(value, dict) and "rows" in value and "convention" in value:
        kind = "no table of this version"
    elif isinstance(value, dict) and "lines" in value and is_table(str(value.get("table"))):
        name = read_name(value["table"])
        names = name.select_plans(plans) or [name.plan]
        kind, problem = f"the paper's table {name}", "it has no pixel counts of its runs"
    command = shlex.join(["chimera-bench", "table", *names, "--format", "json", "--out", "FILE"])
    return f"{kind} ({problem}): expected the table of a study as JSON, which this writes: {command}"


def _select_seeds(finished: Sequence[ListedRun], seeds: Sequence[int]) -> list[ListedRun]:
    """Return the runs of the seeds or, of a deterministic row without them, its first run."""
    selected = [run for run in finished if not seeds or run.spec.seed in seeds]
    return selected or (list(finished[:1]) if is_one_result(finished) else [])


def _list_remarks(row: SplitRow, finished: Sequence[ListedRun], seeds: Sequence[int]) -> Iterator[str]:
    known = [run.spec.seed for run in finished]
    if is_one_result(finished):
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
