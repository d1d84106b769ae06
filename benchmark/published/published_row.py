"""One published number, or the numbers of one method on one split from one source, with its traits and origin."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.core.protocol_class import ProtocolClass
from benchmark.utils.frozen_model import FrozenModel

Metric = Literal["pixel_accuracy", "miou_seen", "miou_unseen", "hiou", "miou"]
"""Metrics that sources print, in percent, by our keys."""


class PublishedRow(FrozenModel):
    """Numbers of one method on one split from one source, in percent.

    Attributes:
        id: Unique name of the row, such as "gzss/zegclip-voc12-inductive".
        method: Name of the method, which tells it apart from other rows of the same method.
        system: Name under which rows of the same method are compared across sources.
        benchmark: Name of the benchmark in the literature, such as "VOC20".
        dataset: Name of the dataset, ours if we have it.
        dataset_title: Name of the dataset for people.
        split: Name of our split if the benchmark has the same classes and unseen classes; else a name of its own.
        traits: Traits that decide what the numbers may be compared with.
        venue: Conference, journal, or arXiv.
        year: Year of the venue.
        arxiv: Identifier of the paper at arXiv; empty if unknown.
        source: Files or tables that the numbers were read in, separated by semicolons, each with its name first.
        repository: Repositories of these files, as owner/name; empty if unknown.
        source_commit: Commits of these repositories; empty if unknown.
        how_read: How the numbers were read, such as "README" or "README; full text".
        is_verified: Whether the numbers were seen in a source of the authors, or of the authors of a comparison.
        printed: Numbers as printed, by metric.
        spread: Numbers printed behind ±, by metric.
        recomputed: Numbers computed here by metric: hIoU from S and U, averages, and sums of a printed gain and a
            printed number.
        misprinted: Metric whose printed number is a misprint; empty if none is.
        misprint: Reason why the printed number is a misprint; empty if none is.
        decimals: Largest number of decimals that the source prints in the line of the row.
        is_average: Whether the number is an average over benchmarks.
        averaged: IDs of the rows whose mean an average is; empty if the source does not have all of them.
        note: Remarks.
    """

    id: str = Field(min_length=1)
    method: str = Field(min_length=1)
    system: str = Field(min_length=1)
    benchmark: str
    dataset: str
    dataset_title: str
    split: str
    traits: ProtocolClass
    venue: str = ""
    year: int = Field(ge=2000, le=2100)
    arxiv: str = Field(default="", pattern=r"^(\d{4}\.\d{4,5})?$")
    source: str = Field(min_length=1)
    repository: str = ""
    source_commit: str = ""
    how_read: str
    is_verified: bool
    printed: dict[Metric, float] = Field(default_factory=dict)
    spread: dict[Metric, float] = Field(default_factory=dict)
    recomputed: dict[Metric, float] = Field(default_factory=dict)
    misprinted: Metric | Literal[""] = ""
    misprint: str = ""
    decimals: int = Field(default=1, ge=0)
    is_average: bool = False
    averaged: tuple[str, ...] = ()
    note: str = ""

    @property
    def values(self) -> dict[Metric, float]:
        """Best number by metric: the printed one; the recomputed one if none is printed, or a misprint is."""
        kept = {metric: value for metric, value in self.printed.items() if metric != self.misprinted}
        return {**self.recomputed, **kept}

    @property
    def stated(self) -> dict[Metric, float]:
        """Number by metric that the source stands for: the printed one, also a misprint, or else the recomputed one."""
        return {**self.recomputed, **self.printed}

    @property
    def half_unit(self) -> float:
        """Half a unit in the last printed place: a printed number is at most so far from the unrounded one."""
        return 0.5 * 10.0**-self.decimals

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the sources, without files, tables and pages."""
        return tuple(dict.fromkeys(part.partition(",")[0].strip() for part in self.source.split(";")))
