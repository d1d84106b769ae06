"""Rows of one line of a csv file: what they share is read and checked once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from benchmark.core.protocol_class import ProtocolClass
from benchmark.published.benchmarks import Benchmark
from benchmark.published.published_row import PublishedRow
from benchmark.published.table_file import Line, NumberCell

HOW_READ = (
    "full text",
    "README",
    "image",
    "radar chart",
    "log",
    "abstract",
    "mirror",
    "secondary",
    "derived",
    "memory",
    "not found",
)
"""Ways in which numbers were read, see the README of the folder."""
UNSEEN = {"secondary", "derived", "memory", "not found"}
"""Ways in which no source of the numbers was seen."""
TRAITS = ("supervision", "vocabulary", "target_images", "mask_votes", "backbone")
ORIGIN = ("venue", "year", "arxiv", "source", "repository", "commit", "how_read", "is_verified", "misprint", "note")
SHARED = ("method", "system", *TRAITS, "extra_models", *ORIGIN)
"""Columns that every file of rows has."""


class Misprint(NamedTuple):
    """Misprint of a line.

    Attributes:
        column: Column of the misprinted number; empty if there is none.
        reason: Reason why it is one.
    """

    column: str = ""
    reason: str = ""


class RowBuilder:
    """Rows of one line.

    Attributes:
        line: Line.
        misprint: Misprint of the line.
    """

    def __init__(self, line: Line, numbers: Mapping[str, NumberCell]) -> None:
        self.line = line
        self.misprint = _read_misprint(line, numbers)
        self._shared = _read_shared(line)
        self._traits: dict[str, ProtocolClass] = {}

    def build(self, benchmark: Benchmark, numbers: Mapping[str, NumberCell], **fields: Any) -> PublishedRow:
        """Return a row of the line.

        Args:
            benchmark: Benchmark of the row.
            numbers: Number by metric.
            fields: Other fields of the row; recomputed numbers are joined with those that the line has in parentheses.

        Raises:
            ValueError: A value is not allowed; one line with file, line and column.
        """
        computed = {metric: number.value for metric, number in numbers.items() if not number.is_printed}
        values = {
            **self._shared,
            "benchmark": benchmark.benchmark,
            "dataset": benchmark.dataset,
            "dataset_title": benchmark.title,
            "split": benchmark.split,
            "is_average": bool(benchmark.members),
            "printed": {metric: number.value for metric, number in numbers.items() if number.is_printed},
            "spread": {metric: number.spread for metric, number in numbers.items() if number.spread is not None},
            **fields,
            "recomputed": {**fields.get("recomputed", {}), **computed},
        }
        try:
            return PublishedRow(traits=self._read_traits(benchmark), **values)
        except ValidationError as error:
            self.line.explain(error, PublishedRow)

    def _read_traits(self, benchmark: Benchmark) -> ProtocolClass:
        """Return the traits on a benchmark: only one with a background class has a threshold."""
        if benchmark.background not in self._traits:
            traits: dict[str, Any] = {name: self.line[name] for name in (*TRAITS, "setting")}
            try:
                self._traits[benchmark.background] = ProtocolClass(
                    **traits,
                    background=benchmark.background,
                    threshold=self.line["threshold"] if benchmark.background == "class" else "",
                    extra_models=self.line.split("extra_models"),
                )
            except ValidationError as error:
                self.line.explain(error, ProtocolClass)
        return self._traits[benchmark.background]


def _read_misprint(line: Line, numbers: Mapping[str, NumberCell]) -> Misprint:
    if not line["misprint"]:
        return Misprint()
    column, _, reason = (part.strip() for part in line["misprint"].partition(":"))
    if column not in numbers or not reason:
        line.refuse("misprint", f"{line['misprint']!r} is not COLUMN: REASON with a column that has a number")
    return Misprint(column, reason)


def _read_shared(line: Line) -> dict[str, Any]:
    """Return the fields that all rows of a line share."""
    line.require("how_read")
    for part in line.split("how_read"):
        if part not in HOW_READ:
            line.refuse("how_read", f"{part!r} is none of {', '.join(HOW_READ)}")
    is_verified = line.choose("is_verified", ("yes", "no")) == "yes"
    if is_verified and UNSEEN.issuperset(line.split("how_read")):
        line.refuse(
            "is_verified", f"'yes' does not fit how_read {line['how_read']!r}, which is no source of the numbers"
        )
    return {
        "method": line.require("method"),
        "system": line["system"] or line["method"],
        "venue": line["venue"],
        "year": line.read_integer("year"),
        "arxiv": line["arxiv"],
        "source": line.require("source"),
        "repository": line["repository"],
        "source_commit": line["commit"],
        "how_read": line["how_read"],
        "is_verified": is_verified,
        "note": line["note"],
    }


def make_slug(*parts: str) -> str:
    """Return a name of lower-case letters, digits and hyphens, in which a plus is spelled out."""
    text = "-".join(part.replace("+", " plus ") for part in parts if part)
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
