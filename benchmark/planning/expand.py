"""Expansion of a study into planned runs. Needs torch, because it asks the method files for their configurations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmark.core.grid import GridRow, make_grid
from benchmark.core.plan import Plan, PlannedStudy, PlanRow
from benchmark.core.run_name import format_value
from benchmark.core.run_spec import RunSpec
from benchmark.core.study import Study
from benchmark.planning.method_setup import find_variant
from benchmark.planning.registry import load_recipe, simplify_name
from benchmark.planning.resolve import find_split_source, resolve
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.method_names import split_method


def expand(study: Study, *, place: str | None = None, resolve_run: Callable[..., RunSpec] = resolve) -> PlannedStudy:
    """Resolve every row of a study once; its runs differ in the seed only; a deterministic row has one.

    Args:
        study: Study with all its overrides.
        place: Beginning of error messages; by default, the study is named.
        resolve_run: Function that resolves a run: `resolve`, or `outline` for an estimate without files.

    Raises:
        KeyError: A name is unknown, that of the baseline included; the message names the row.
        ValueError: A row cannot be resolved, or two rows are the same; the message names the rows.
    """
    place = f"study {study.name!r}" if place is None else place
    given = make_grid(study)
    specs = tuple(_resolve_row(study, row, place=place, resolve_run=resolve_run) for row in given)
    _check_splits_differ(given, specs, place=place)
    rows = label_rows(given, [_plan_row(row, spec) for row, spec in zip(given, specs, strict=True)])
    _check_rows_differ(rows, place=place)
    _check_baseline(rows, study.baseline, place=place)
    plan = Plan(
        study=study.name,
        title=study.title,
        rows=rows,
        baseline=study.baseline,
        max_images=study.max_images,
    )
    return PlannedStudy(plan, specs)


def _resolve_row(study: Study, row: GridRow, *, place: str, resolve_run: Callable[..., RunSpec]) -> RunSpec:
    """Return the spec of a row with its first seed."""
    try:
        return resolve_run(
            row.method,
            split=row.split,
            protocol=row.protocol,
            seed=row.seeds[0],
            overrides=row.overrides,
            engine=study.engine,
            max_images=study.max_images,
            weights=row.weights,
        )
    except KeyError as error:
        raise KeyError(_add_place(place, row, str(error.args[0]))) from error
    except ValueError as error:
        raise ValueError(_add_place(place, row, str(error))) from error


def _add_place(place: str, row: GridRow, message: str) -> str:
    """Return an error message that begins with the row; of the one row of a method, the message alone."""
    return f"{place}, {row}: {message}" if place else f"{row.describe_swept()}: {message}" if row.swept else message


def _plan_row(row: GridRow, first: RunSpec) -> PlanRow:
    """Return the runs of a row, labeled by its variant; of one whose seeds give the same result, the first run only."""
    name, label = split_method(row.method)
    recipe = load_recipe(simplify_name(name))
    is_deterministic = first.is_published_result or recipe.traits.gives_one_result(first.budget)
    seeds = row.seeds[:1] if is_deterministic else row.seeds
    ids = {seed: first.with_seed(seed).id for seed in seeds}
    variant = find_variant(recipe, label, name=name)  # as given: `first` may name another one that is the same
    return PlanRow(label=variant, method=first.method, split=first.split, ids=ids, is_deterministic=is_deterministic)


def label_rows(given: Sequence[GridRow], rows: Sequence[PlanRow]) -> tuple[PlanRow, ...]:
    """Label rows by their variant and their overrides, with as much of every path as tells the rows apart.

    Args:
        given: Rows of the grid; their own labels stay.
        rows: The same rows as planned, labeled by their variant.
    """
    pairs = list(zip(given, rows, strict=True))
    most_parts = max(str(row.shown).count("/") for row in given) + 1
    for num_parts in range(1, most_parts + 1):
        labels = [_make_label(item, variant=row.label, num_parts=num_parts) for item, row in pairs]
        if len({(label, row.method, row.split) for label, (_, row) in zip(labels, pairs, strict=True)}) == len(pairs):
            break
    return tuple(row.model_copy(update={"label": label}) for label, row in zip(labels, rows, strict=True))


def _make_label(row: GridRow, *, variant: str, num_parts: int) -> str:
    """Return the label of a row: its own or the variant, and the values that it shows."""
    changes = ", ".join(f"{key}={format_value(value, num_parts=num_parts)}" for key, value in row.shown.items())
    name = row.label or variant
    return f"{name} [{changes}]" if changes else name


def _check_splits_differ(given: Sequence[GridRow], specs: Sequence[RunSpec], *, place: str) -> None:
    """Refuse different splits with the same name, such as those of two files in different folders."""
    known: dict[str, tuple[str, str]] = {}
    for row, spec in zip(given, specs, strict=True):
        first, digest = known.setdefault(spec.split, (row.split, spec.split_digest))
        if digest != spec.split_digest:
            places = " and ".join(find_split_source(source) or source for source in (first, row.split))
            raise ValueError(_join(place, f"two splits are called {spec.split!r}, {places}: rename one of the files"))


def _check_rows_differ(rows: Sequence[PlanRow], *, place: str) -> None:
    """Refuse rows with the same name, which readers would confuse, and rows with the same runs."""
    row_of: dict[str, PlanRow] = {}
    names: set[tuple[str, str, str]] = set()
    for row in rows:
        twin = next((row_of[run_id] for run_id in row.ids.values() if run_id in row_of), None)
        if twin is not None:
            raise ValueError(_join(place, f"rows {twin.label!r} and {row.label!r} are the same runs on {row.split}"))
        if (row.label, row.method, row.split) in names:
            raise ValueError(_join(place, f"two rows are called {row.label!r} on {row.split}; give one another label"))
        row_of |= dict.fromkeys(row.ids.values(), row)
        names.add((row.label, row.method, row.split))


def _check_baseline(rows: Sequence[PlanRow], baseline: str, *, place: str) -> None:
    labels = [row.label for row in rows]
    if baseline and baseline not in labels:
        raise KeyError(_join(place, explain_unknown_name("row to be the baseline", baseline, labels)))


def _join(place: str, message: str) -> str:
    return f"{place}: {message}" if place else message
