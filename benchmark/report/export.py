"""Results in long format: loaded as one data frame, and written for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.core.plan import Plan
from benchmark.evaluation.scores import Convention
from benchmark.report.frame import list_records, to_frame
from benchmark.report.rows import read_rows
from benchmark.report.tables.json_text import dump_json, format_csv
from benchmark.store.store import Store
from benchmark.utils.atomic_files import open_draft

if TYPE_CHECKING:
    from pandas import DataFrame


def load_frame(store: Store, plan: Plan, *, convention: Convention = "d2-main") -> DataFrame:
    """Return the results of a plan as a tidy data frame, see `frame.to_frame`.

    Args:
        store: Store that holds the runs.
        plan: Plan of the rows, such as `named_rows.make_plan` returns it.
        convention: Convention of the scores.
    """
    return to_frame(read_rows(store, plan, convention=convention, metrics=()), study=plan.study)


def write_frames(frames: Iterator[DataFrame], path: Path) -> int:
    """Write the parts of a data frame, one at a time, in the format that the suffix of a file says.

    Args:
        frames: Parts of one frame, at least one.
        path: File to write, completely or not at all.

    Returns:
        Number of lines.

    Raises:
        ValueError: The suffix is unknown, or a package for the format is missing.
        OSError: The file cannot be written.
    """
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise ValueError(f"{path} has none of the suffixes {', '.join(WRITERS)}: the suffix says which format to write")
    numbers: list[int] = []

    def count_lines() -> Iterator[DataFrame]:
        for frame in frames:
            numbers.append(len(frame))
            yield frame

    write(count_lines(), path)
    return sum(numbers)


def _write_csv(frames: Iterator[DataFrame], path: Path) -> None:
    with open_draft(path) as draft, draft.open("w", encoding="utf-8") as file:
        for number, frame in enumerate(frames):
            file.write(format_csv(frame, has_header=number == 0))


def _write_json(frames: Iterator[DataFrame], path: Path) -> None:
    """Write one list, part by part."""
    with open_draft(path) as draft, draft.open("w", encoding="utf-8") as file:
        before = "[\n"
        for records in filter(None, map(list_records, frames)):
            file.write(before + dump_json(records).removeprefix("[\n").removesuffix("\n]\n"))
            before = ",\n"
        file.write("[]\n" if before == "[\n" else "\n]\n")


def _write_parquet(frames: Iterator[DataFrame], path: Path) -> None:
    if find_spec("pyarrow") is None:
        raise ValueError(f"{path} needs pyarrow: pip install 'chimera-bench[parquet]', or write .csv")
    from pyarrow import Schema, Table
    from pyarrow.parquet import ParquetWriter

    first = next(frames)
    schema = Schema.from_pandas(first, preserve_index=False)
    with open_draft(path) as draft, ParquetWriter(draft, schema) as writer:
        for frame in chain([first], frames):
            writer.write_table(Table.from_pandas(frame, schema=schema, preserve_index=False))


WRITERS: dict[str, Callable[[Iterator[DataFrame], Path], None]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".parquet": _write_parquet,
}
"""Function that writes a file, by suffix."""
