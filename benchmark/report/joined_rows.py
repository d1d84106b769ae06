"""Rows that names stand for, joined if their runs differ in nothing but the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmark.core.plan import PlanRow
from benchmark.core.run_spec import RunSpec


@dataclass(frozen=True)
class NamedRow:
    """A row that a name stands for.

    Attributes:
        row: Runs of the row; its label is made by `row_labels.label_rows` unless a study gave one.
        spec: Spec of one of the runs; None if none can be read.
        study: Name of the study that the row is from; empty for others.
        names: Names that stand for the row.
    """

    row: PlanRow
    spec: RunSpec | None
    study: str = ""
    names: tuple[str, ...] = ()


def join_shared(rows: Sequence[NamedRow]) -> list[NamedRow]:
    """Return the rows, those with the same runs but for seeds as one, which keeps the label of the first."""
    joined: dict[str, NamedRow] = {}
    for named in rows:
        key = _identify(named)
        first = joined.setdefault(key, named)
        ids = dict(sorted((named.row.ids | first.row.ids).items()))
        label = first.row.label or named.row.label
        names = tuple(dict.fromkeys([*first.names, *named.names]))
        joined[key] = replace(first, row=first.row.model_copy(update={"ids": ids, "label": label}), names=names)
    return list(joined.values())


def describe_joined(rows: Sequence[NamedRow]) -> list[str]:
    """Return one line per label that `join_shared` gives up for another, as studies call one row by both."""
    firsts: dict[str, NamedRow] = {}
    pairs: dict[tuple[str, str, str, str], None] = {}
    for named in rows:
        if named.row.label:
            first = firsts.setdefault(_identify(named), named)
            pairs[first.row.label, first.study, named.row.label, named.study] = None
    return [
        f"{label!r} of {study} is in the row {first!r} of {first_study}: their runs differ in nothing but the seed"
        for first, first_study, label, study in pairs
        if label != first
    ]


def _identify(named: NamedRow) -> str:
    """Return what rows with the same runs but for seeds share; of a row without a readable spec, its ids."""
    return named.spec.digest_row() if named.spec is not None else " ".join(named.row.ids.values())
