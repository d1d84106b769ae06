"""From a study to its planned runs. Needs torch, because it asks the method files for their configurations."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.run_spec import RunSpec
from benchmark.core.study import Plan, Planned, PlanRow, Study, StudyRow
from benchmark.planning.resolve import resolve


def expand(study: Study) -> Planned:
    """Resolve every row once; its cells differ in the seed alone.

    Raises:
        KeyError, ValueError: a row cannot be resolved, or two rows are the same; names the row.
    """
    firsts = tuple(_resolved(study, row, at=at) for at, row in enumerate(study.rows, start=1))
    rows = tuple(_planned(row, first, seeds=study.seeds) for row, first in zip(study.rows, firsts, strict=True))
    _check_rows_differ(study, rows)
    return Planned(
        Plan(study=study.name, title=study.title, split=study.split, rows=rows, max_images=study.max_images), firsts
    )


def _planned(row: StudyRow, first: RunSpec, *, seeds: Sequence[int]) -> PlanRow:
    ids = {seed: first.with_seed(seed).id for seed in seeds}
    return PlanRow(label=_label(row, variant=first.variant), method=first.method, ids=ids)


def _label(row: StudyRow, *, variant: str) -> str:
    """As given, or the variant and what is changed in this row alone."""
    changed = ", ".join(f"{key}={value}" for key, value in row.set.items())
    return row.label or (f"{variant} [{changed}]" if changed else variant)


def _resolved(study: Study, row: StudyRow, *, at: int) -> RunSpec:
    """The row with the first seed."""
    overrides = {**study.set, **row.set}
    try:
        return resolve(
            row.method,
            split=study.split,
            protocol=study.protocol,
            seed=study.seeds[0],
            overrides=overrides,
            engine=study.engine,
            max_images=study.max_images,
        )
    except KeyError as error:
        raise KeyError(f"study {study.name!r}, row {at} ({row.method}): {error.args[0]}") from error
    except ValueError as error:
        raise ValueError(f"study {study.name!r}, row {at} ({row.method}): {error}") from error


def _check_rows_differ(study: Study, rows: Sequence[PlanRow]) -> None:
    """Two rows with one name cannot be told apart; two rows with one run would count it twice."""
    row_of: dict[str, PlanRow] = {}
    names: set[tuple[str, str]] = set()
    for row in rows:
        other = next((row_of[run_id] for run_id in row.ids.values() if run_id in row_of), None)
        if other is not None:
            raise ValueError(f"study {study.name!r}: rows {other.label!r} and {row.label!r} are the same runs")
        if (row.label, row.method) in names:
            raise ValueError(f"study {study.name!r}: two rows are called {row.label!r}; give one another label")
        row_of |= dict.fromkeys(row.ids.values(), row)
        names.add((row.label, row.method))
