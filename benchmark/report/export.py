"""Results in long format: loaded as one data frame, and written for other programs."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.core.plan import Plan
from benchmark.evaluation.scores import Convention
from benchmark.report.frame import list_records, to_frame
from benchmark.report.rows import read_rows
from benchmark.report.tables.json_text import dump_json, format_csv
from benchmark.store.store import Store
from benchmark.utils.atomic_files import open_draft, write_text

if TYPE_CHECKING:
    from pandas import DataFrame


def load_frame(store: Store, plan: Plan, *, convention: Convention = "d2-main") -> DataFrame:
    """Return the results of a plan as a tidy data frame, see `frame.to_frame`.

    Args:
        store: Store that holds the runs.
        plan: Plan of the rows, such as `named_rows.make_plan` returns it.
        convention: Convention of the scores.
    """
    return to_frame(read_rows(store, plan, convention=convention), study=plan.study)


def write_frame(frame: DataFrame, path: Path) -> None:
    """Write a data frame in the format that the suffix of a file says.

    Raises:
        ValueError: The suffix is unknown, or a package for the format is missing.
        OSError: The file cannot be written.
    """
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise ValueError(f"{path} has none of the suffixes {', '.join(WRITERS)}: the suffix says which format to write")
    write(frame, path)


def _write_csv(frame: DataFrame, path: Path) -> None:
    write_text(path, format_csv(frame))


def _write_json(frame: DataFrame, path: Path) -> None:
    write_text(path, dump_json(list_records(frame)))


def _write_parquet(frame: DataFrame, path: Path) -> None:
    if find_spec("pyarrow") is None:
        raise ValueError(f"{path} needs pyarrow: pip install 'chimera-bench[parquet]', or write .csv")
    with open_draft(path) as draft:
        frame.to_parquet(draft, engine="pyarrow", index=False)


WRITERS: dict[str, Callable[[DataFrame, Path], None]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".parquet": _write_parquet,
}
"""Function that writes a file, by suffix."""
