"""Expansion of a study into planned runs. Needs torch, because it asks the method files for their configurations."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.run_spec import RunSpec
from benchmark.core.study import Plan, PlannedStudy, PlanRow, Study, StudyRow
from benchmark.planning.resolve import resolve


def expand(study: Study) -> PlannedStudy:
    """Resolve every row of a study once; the runs of a row differ in the seed only.

    Raises:
        KeyError: A name is unknown; the message names the row.
        ValueError: A row cannot be resolved, or two rows are the same; the message names the rows.
    """
    specs = tuple(_resolve_row(study, row, number=number) for number, row in enumerate(study.rows, start=1))
    rows = tuple(_plan_row(row, spec, seeds=study.seeds) for row, spec in zip(study.rows, specs, strict=True))
    _check_rows_differ(study, rows)
    plan = Plan(study=study.name, title=study.title, split=study.split, rows=rows, max_images=study.max_images)
    return PlannedStudy(plan, specs)


def _resolve_row(study: Study, row: StudyRow, *, number: int) -> RunSpec:
    """Return the spec of a row with the study's first seed."""
    try:
        return resolve(
            row.method,
            split=study.split,
            protocol=study.protocol,
            seed=study.seeds[0],
            overrides={**study.set, **row.set},
            engine=study.engine,
            max_images=study.max_images,
        )
    except KeyError as error:
        raise KeyError(f"study {study.name!r}, row {number} ({row.method}): {error.args[0]}") from error
    except ValueError as error:
        raise ValueError(f"study {study.name!r}, row {number} ({row.method}): {error}") from error


def _plan_row(row: StudyRow, first: RunSpec, *, seeds: Sequence[int]) -> PlanRow:
    ids = {seed: first.with_seed(seed).id for seed in seeds}
    return PlanRow(label=_make_label(row, variant=first.variant), method=first.method, ids=ids)


def _make_label(row: StudyRow, *, variant: str) -> str:
    """Return the label of a row; if it has none, the variant and the overrides of this row only."""
    changes = ", ".join(f"{key}={value}" for key, value in row.set.items())
    return row.label or (f"{variant} [{changes}]" if changes else variant)


def _check_rows_differ(study: Study, rows: Sequence[PlanRow]) -> None:
    """Refuse rows with the same name, which readers would confuse, and rows with the same runs."""
    row_of: dict[str, PlanRow] = {}
    names: set[tuple[str, str]] = set()
    for row in rows:
        twin = next((row_of[run_id] for run_id in row.ids.values() if run_id in row_of), None)
        if twin is not None:
            raise ValueError(f"study {study.name!r}: rows {twin.label!r} and {row.label!r} are the same runs")
        if (row.label, row.method) in names:
            raise ValueError(f"study {study.name!r}: two rows are called {row.label!r}; give one another label")
        row_of |= dict.fromkeys(row.ids.values(), row)
        names.add((row.label, row.method))
