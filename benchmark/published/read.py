"""Reading of `results/published/`, and selection of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark.published.benchmarks import Benchmark, read_benchmarks
from benchmark.published.find import find_rows
from benchmark.published.number_ranges import compute_hiou
from benchmark.published.published_row import PublishedRow
from benchmark.published.row_builder import SHARED, RowBuilder, make_slug
from benchmark.published.table_file import Line, NumberCell, read_lines
from benchmark.utils.paths import ROOT

__all__ = ["PUBLISHED", "find_rows", "read_published"]

PUBLISHED = ROOT / "results" / "published"
"""Folder of the published numbers."""
GZSS_METRICS = ("pixel_accuracy", "miou_seen", "miou_unseen", "hiou")
AVERAGE = "average"
DECIMALS = 2
"""Decimals of numbers computed here."""

Rows = Iterator[tuple[Line, PublishedRow]]


def read_published(folder: Path = PUBLISHED) -> tuple[PublishedRow, ...]:
    """Return all published rows: generalized zero-shot segmentation, then open-vocabulary segmentation.

    Args:
        folder: Folder with benchmarks.csv, gzss.csv and openvocab.csv.

    Raises:
        ValueError: A line is broken; one line with file, line, column and problem.
        OSError: A file cannot be read.
    """
    benchmarks = read_benchmarks(folder / "benchmarks.csv")
    single = [name for name, benchmark in benchmarks.items() if not benchmark.members]
    gzss = read_lines(folder / "gzss.csv", required=(*SHARED, "benchmark", "setting", *GZSS_METRICS))
    others = read_lines(
        folder / "openvocab.csv", required=(*SHARED, "threshold", AVERAGE, "average_of"), optional=single
    )
    rows: dict[str, PublishedRow] = {}
    for line, row in (*_read_gzss(gzss, benchmarks), *_read_open_vocabulary(others, benchmarks)):
        if row.id in rows:
            line.refuse("method", f"{row.method!r} is there twice on {row.benchmark}: tell them apart in the name")
        rows[row.id] = row
    return tuple(rows.values())


def _read_gzss(lines: Iterable[Line], benchmarks: Mapping[str, Benchmark]) -> Rows:
    """Yield a row for every line, with hIoU recomputed from S and U."""
    for line in lines:
        benchmark = benchmarks[line.choose("benchmark", benchmarks)]
        numbers = _read_numbers(line, GZSS_METRICS)
        builder = RowBuilder(line, numbers)
        yield (
            line,
            builder.build(
                benchmark,
                numbers,
                id=f"gzss/{make_slug(line['method'], benchmark.split, line['setting'])}",
                recomputed=_recompute_hiou(numbers),
                misprinted=builder.misprint.column,
                misprint=builder.misprint.reason,
                decimals=_count_decimals(numbers),
            ),
        )


def _read_open_vocabulary(lines: Iterable[Line], benchmarks: Mapping[str, Benchmark]) -> Rows:
    """Yield a row for every number of every line, and one for its average."""
    for line in lines:
        numbers = _read_numbers(line, [name for name in line.cells if name in benchmarks])
        averages = _read_numbers(line, [AVERAGE])
        builder, decimals = RowBuilder(line, {**numbers, **averages}), _count_decimals(numbers)
        ids = {name: f"openvocab/{make_slug(line['method'], line['backbone'], name)}" for name in numbers}
        for name, number in numbers.items():
            misprint = builder.misprint.reason if builder.misprint.column == name else ""
            yield (
                line,
                builder.build(
                    benchmarks[name],
                    {"miou": number},
                    id=ids[name],
                    misprinted="miou" if misprint else "",
                    misprint=misprint,
                    decimals=decimals,
                ),
            )
        if line["average_of"] or averages:
            yield line, _build_average(builder, benchmarks, numbers, ids)


def _build_average(
    builder: RowBuilder, benchmarks: Mapping[str, Benchmark], numbers: Mapping[str, NumberCell], ids: Mapping[str, str]
) -> PublishedRow:
    """Return the average of a line as printed, and as recomputed if the line has all of its numbers."""
    line = builder.line
    known = {name: benchmark for name, benchmark in benchmarks.items() if benchmark.members}
    average = known[line.choose("average_of", known)]
    printed = _read_numbers(line, [AVERAGE])
    fields: dict[str, Any] = {}
    if set(average.members) <= set(numbers):
        values = [numbers[name].value for name in average.members]
        fields["recomputed"] = {"miou": round(sum(values) / len(values), DECIMALS)}
        fields["averaged"] = tuple(ids[name] for name in average.members)
    misprint = builder.misprint.reason if builder.misprint.column == AVERAGE else ""
    return builder.build(
        average,
        {"miou": printed[AVERAGE]} if printed else {},
        id=f"openvocab/{make_slug(line['method'], line['backbone'], average.split)}",
        misprinted="miou" if misprint else "",
        misprint=misprint,
        decimals=_count_decimals(printed),
        **fields,
    )


def _read_numbers(line: Line, columns: Iterable[str]) -> dict[str, NumberCell]:
    """Return the numbers of some columns, without empty cells."""
    return {name: number for name in columns if (number := line.read_number(name)) is not None}


def _count_decimals(numbers: Mapping[str, NumberCell]) -> int:
    """Return the largest number of decimals, since a last zero may not be printed."""
    return max((number.decimals for number in numbers.values()), default=1)


def _recompute_hiou(numbers: Mapping[str, NumberCell]) -> dict[str, float]:
    """Return hIoU from S and U, whether they are printed or were computed here; nothing if one is missing."""
    if "miou_seen" not in numbers or "miou_unseen" not in numbers:
        return {}
    hiou = compute_hiou(numbers["miou_seen"].value, numbers["miou_unseen"].value)
    return {"hiou": round(hiou, DECIMALS)}
