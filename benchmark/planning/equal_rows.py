"""Rows of a plan that differ in a training budget which their method does not use, so that their numbers are equal."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.core.budget import Budget
from benchmark.core.run_spec import RunSpec
from benchmark.core.study import PlannedStudy, PlanRow


def describe_equal_rows(planned: PlannedStudy) -> Iterator[str]:
    """Yield one line about each group of rows of a method without training that differ in the budget only."""
    groups: dict[str, list[tuple[PlanRow, RunSpec]]] = {}
    for row, spec in zip(planned.plan.rows, planned.first_specs, strict=True):
        if row.is_deterministic:  # so that nothing is trained, see Traits
            groups.setdefault(_identify(spec), []).append((row, spec))
    for group in groups.values():
        if len(group) > 1:
            labels = ", ".join(row.label for row, _ in group)
            yield f"{group[0][0].method} trains nothing, so these rows get equal numbers: {labels}"


def _identify(spec: RunSpec) -> str:
    """Return a text that is equal for runs which differ in nothing but the training budget."""
    used = Budget(iterations=0, precision=spec.budget.precision, init_images=spec.budget.init_images)
    return spec.model_copy(update={"seed": 0, "budget": used}).digest()
