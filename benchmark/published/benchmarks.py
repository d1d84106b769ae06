"""Benchmarks of the literature: which dataset, classes and treatment of background each stands for."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from benchmark.core.protocol_class import Background
from benchmark.published.table_file import Line, read_lines
from benchmark.utils.frozen_model import FrozenModel

COLUMNS = ("benchmark", "dataset", "title", "split", "background", "members", "note")


class Benchmark(FrozenModel):
    """A benchmark of the literature.

    Attributes:
        benchmark: Name in the literature, such as "VOC20".
        dataset: Name of the dataset, ours if we have it.
        title: Name of the dataset for people.
        split: Name of our split if it has the same classes and unseen classes; else a name that no split of ours has.
        background: Treatment of background.
        members: Benchmarks whose mean an average is; empty for a benchmark of its own.
        note: Remarks.
    """

    benchmark: str
    dataset: str
    title: str
    split: str
    background: Background = ""
    members: tuple[str, ...] = ()
    note: str = ""


def read_benchmarks(path: Path) -> dict[str, Benchmark]:
    """Return the benchmarks of a csv file by name, in the order of the file.

    Raises:
        ValueError: A line is broken or repeats a name; one line with file, line and column.
    """
    benchmarks: dict[str, Benchmark] = {}
    for line in read_lines(path, required=COLUMNS):
        name = line.require("benchmark")
        if name in benchmarks:
            line.refuse("benchmark", f"{name!r} is there twice")
        for member in line.split("members"):
            if member not in benchmarks:
                line.refuse("members", f"{member!r} is no benchmark of a line above")
        benchmarks[name] = _read_benchmark(line)
    return benchmarks


def _read_benchmark(line: Line) -> Benchmark:
    texts = {name: line.require(name) for name in ("benchmark", "dataset", "title", "split")}
    fields = {**texts, "background": line["background"], "members": line.split("members"), "note": line["note"]}
    try:
        return Benchmark.model_validate(fields)
    except ValidationError as error:
        line.explain(error, Benchmark)
