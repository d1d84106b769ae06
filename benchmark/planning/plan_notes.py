"""What a user should know about a plan that is made: what it replaces, and which of its rows are equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmark.core.budget import Budget
from benchmark.core.plan import PlannedStudy, PlanRow
from benchmark.core.run_spec import RunSpec
from benchmark.core.study import Study
from benchmark.planning.plan_cache import plan_study, raise_unsaved
from benchmark.store.store import Store
from benchmark.utils.did_you_mean import join_names

ITERATIONS = "budget.iterations"
"""Override that methods without training have no use for."""


def plan_aloud(
    study: Study,
    store: Store,
    *,
    keep: bool,
    notify: Callable[[str], None],
    on_unsaved: Callable[[OSError], object] = raise_unsaved,
    place: str | None = None,
    rows_digest: str = "",
) -> PlannedStudy:
    """Plan a study, and say if it replaces the plan of another one, and which rows differ in name only.

    Errors are those of `benchmark.planning.plan_cache.plan_study`.

    Args:
        study: Study with all its overrides.
        store: Store that holds the plans.
        keep: Whether the plan and its memo are saved.
        notify: Function for one line at a time.
        on_unsaved: Function for the error if the plan cannot be written; by default, it is raised.
        place: Beginning of error messages; by default, the study is named.
        rows_digest: Digest of the rows of the paper's table that the study is made from; empty for any other study.
    """
    old = store.read_plans()[0].get(study.name) if keep else None
    unsaved: list[OSError] = []
    planned = plan_study(study, store, keep=keep, on_unsaved=unsaved.append, place=place, rows_digest=rows_digest)
    for error in unsaved:
        on_unsaved(error)
    if old is not None and not unsaved and set(old.ids).isdisjoint(planned.plan.ids):
        count = f"{len(old.ids)} other run{'s' * (len(old.ids) != 1)}"
        kept = "its runs are kept: `table METHOD` shows them"
        notify(f"the plan {study.name!r} of {count} ({old.title}) is replaced; {kept}")
    for line in describe_planned(planned):
        notify(line)
    return planned


def describe_planned(planned: PlannedStudy) -> Iterator[str]:
    """Yield one line about each thing in a plan that may not be what its user meant."""
    yield from _describe_unused_budgets(planned)
    yield from describe_weights(planned)


def describe_weights(planned: PlannedStudy) -> Iterator[str]:
    """Yield one line about each published checkpoint that rows start from, and whether they are trained further."""
    for spec in {spec.weights: spec for spec in planned.first_specs if spec.weights is not None}.values():
        assert spec.weights is not None
        further = (
            f"then trained for {spec.budget.iterations} iterations (--set budget.iterations=0 scores it as published)"
            if spec.budget.iterations
            else "scored as published"
        )
        yield f"{spec.method} starts from {spec.weights.name}, {further}: what it was trained on is not known here"


def _describe_unused_budgets(planned: PlannedStudy) -> Iterator[str]:
    """Yield one line about each group of rows without training that differ in the training budget only, or have one."""
    groups: dict[str, list[tuple[PlanRow, RunSpec]]] = {}
    for row, spec in zip(planned.plan.rows, planned.first_specs, strict=True):
        if row.is_deterministic:  # so that nothing is trained, see Traits
            groups.setdefault(_identify(spec), []).append((row, spec))
    unused: dict[str, None] = {}
    for group in groups.values():
        method, spec = group[0][0].method, group[0][1]
        if len(group) > 1:
            labels = join_names(row.label for row, _ in group)
            yield f"{method} trains nothing, so these rows get equal numbers: {labels}"
        elif spec.budget.iterations and ITERATIONS in spec.overrides:
            unused[method] = None
    for method in unused:
        yield (
            f"{method} trains nothing (Supervision.NONE): {ITERATIONS} has no effect on its numbers, but its runs are "
            "others than those without this setting: leave it out to share them"
        )


def _identify(spec: RunSpec) -> str:
    """Return a text that is equal for runs which differ in nothing but the training budget."""
    used = Budget(iterations=0, precision=spec.budget.precision, init_images=spec.budget.init_images)
    return spec.model_copy(update={"seed": 0, "budget": used}).digest()
