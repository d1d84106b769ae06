"""Grids: the rows of a study by the values of its sweeps and by its splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmark.core.run_name import format_value
from benchmark.core.study import Study, StudyRow
from benchmark.core.sweep import ROW_KEYS, combine, count_combinations

MAX_RUNS = 100_000
"""Largest number of runs in a study."""


@dataclass(frozen=True)
class GridRow:
    """One row of a grid: everything of its runs but the seed.

    Attributes:
        method: Method, with its variant if there is one.
        split: Name or path of the split.
        protocol: Name or path of the protocol; empty for that of the split.
        seeds: Seeds of its runs.
        overrides: All overrides by dotted key.
        label: Label that the study gives; empty for the name of the variant.
        shown: Values that the label shows by key: those of the row itself, or of its sweeps only if it has a label.
        number: Number of the row in the study, from 1.
        swept: Values of its sweeps by key.
        weights: Path of a published checkpoint; empty for none.
    """

    method: str
    split: str
    seeds: tuple[int, ...]
    protocol: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    shown: Mapping[str, Any] = field(default_factory=dict)
    number: int = 1
    swept: Mapping[str, Any] = field(default_factory=dict)
    weights: str = ""

    def __str__(self) -> str:
        return f"row {self.number} ({self.describe_swept()})"

    def describe_swept(self) -> str:
        """Return the method and the swept values."""
        values = {key: value for key, value in self.swept.items() if key != "method"}
        return " ".join([self.method, *(f"{key}={format_value(item, num_parts=None)}" for key, item in values.items())])


def make_grid(study: Study) -> tuple[GridRow, ...]:
    """Return every row of a study by every combination of its sweeps and each of its splits, grouped by split.

    Raises:
        KeyError: A split that others are drawn from is unknown.
        ValueError: The study has too many runs, or its splits cannot be drawn.
    """
    check_size(study)
    splits = study.list_splits()
    rows = [row for number in range(len(study.rows)) for row in _sweep_row(study, number, splits=splits)]
    order = {split: number for number, split in enumerate(dict.fromkeys(row.split for row in rows))}
    return tuple(sorted(rows, key=lambda row: order[row.split]))


def count_runs(study: Study) -> int:
    """Return the number of runs of a study if every row needs all of its seeds, without making them."""
    return sum(
        count_combinations(_get_sweep(study, row)) * len(row.seeds or study.seeds) * _count_splits(study, row)
        for row in study.rows
    )


def _count_splits(study: Study, row: StudyRow) -> int:
    """Return the number of splits that each combination of a row's sweeps is run on."""
    if "split" in _get_sweep(study, row):
        return 1
    return len(row.split or study.split) if row.split or study.resampled is None else study.resampled.count


def check_size(study: Study) -> None:
    """Check that a study does not have more runs than anyone can look at.

    Raises:
        ValueError: It has.
    """
    if (count := count_runs(study)) > MAX_RUNS:
        raise ValueError(
            f"study {study.name!r} has {count} runs, and at most {MAX_RUNS} are supported: sweep fewer values, or "
            "split the study"
        )


def _get_sweep(study: Study, row: StudyRow) -> dict[str, tuple[Any, ...]]:
    return {**study.sweep, **row.sweep}


def _sweep_row(study: Study, index: int, *, splits: tuple[str, ...]) -> Iterator[GridRow]:
    """Yield a row of a study by every combination of its sweeps, and each by its splits or those of the study."""
    row = study.rows[index]
    for swept in combine(_get_sweep(study, row)):
        changes = {key: value for key, value in swept.items() if key not in ROW_KEYS}
        protocol = swept.get("protocol", row.protocol)
        own = {**row.set, **changes} | ({"protocol": protocol} if protocol else {})
        own |= {"weights": row.weights} if row.weights else {}
        for split in (swept["split"],) if "split" in swept else row.split or splits:
            yield GridRow(
                method=swept.get("method", row.method),
                split=split,
                protocol=protocol or study.protocol,
                seeds=row.seeds or study.seeds,
                overrides={**study.set, **row.set, **changes},
                label=row.label,
                shown={key: own[key] for key in own if not row.label or key in swept},
                number=index + 1,
                swept=swept,
                weights=row.weights,
            )
