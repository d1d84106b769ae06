"""Labels of runs for people: the row of a study and the seed, instead of the id."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmark.core.run_spec import RunSpec
    from benchmark.core.study import Plan

KEY_LENGTH = 16
"""Number of characters at the end of an id that tell it apart and that commands accept in its place."""
ROW_DIGITS = 6
"""Number of digits of a row's digest that tell rows with the same label apart."""
SHOWN_SEEDS = 10
"""Largest number of seeds of a row that a summary lists."""


@dataclass(frozen=True)
class RowLabel:
    """Label of a run.

    Attributes:
        row: Label of the row; with the method in front if rows of several methods have it, or if no plan has the run;
            with the split behind if its plan has several.
        seed: Seed of the run; None if it is unknown.
        study: Name of the study; empty if no plan has the run.
    """

    row: str
    seed: int | None
    study: str = ""

    def __str__(self) -> str:
        return self.row if self.seed is None else f"{self.row} seed {self.seed}"


def label_plan(plan: Plan) -> dict[str, RowLabel]:
    """Return the labels of a study's runs by id."""
    counts = Counter((row.label, row.split) for row in plan.rows)
    labels: dict[str, RowLabel] = {}
    for row in plan.rows:
        name = row.label if counts[row.label, row.split] == 1 else f"{row.method}/{row.label}"
        name = name if len(plan.splits) == 1 else f"{name} on {row.split}"
        labels |= {run_id: RowLabel(name, seed, plan.study) for seed, run_id in row.ids.items()}
    return labels


def label_unplanned(specs: Iterable[RunSpec]) -> dict[str, RowLabel]:
    """Return the labels of runs that need not belong to a study by id.

    Labels of different rows that would be the same, as of two contents of one prompt file, end in digits of the row's
    digest.
    """
    labels = {spec.id: f"{spec.method}/{spec.label}" for spec in specs}
    digests = {spec.id: spec.model_copy(update={"seed": 0}).digest()[:ROW_DIGITS] for spec in specs}
    counts = Counter(label for label, _ in {(label, digests[run_id]) for run_id, label in labels.items()})
    return {
        spec.id: RowLabel(f"{label} #{digests[spec.id]}" if counts[label := labels[spec.id]] > 1 else label, spec.seed)
        for spec in specs
    }


def label_runs(store: Store, ids: Sequence[str], *, study: str = "") -> dict[str, RowLabel]:
    """Return the labels of runs by id.

    Args:
        store: Store that holds the plans. A plan that cannot be read is skipped.
        ids: Ids of runs.
        study: Name of the study whose labels come first, for runs that several studies have.
    """
    labels: dict[str, RowLabel] = {}
    for name in sorted(store.list_plans(), key=lambda name: name == study):
        try:
            labels |= label_plan(store.read_plan(name))
        except ValueError:
            continue
    specs = [spec for run_id in ids if run_id not in labels and (spec := _read_spec(store, run_id)) is not None]
    labels |= label_unplanned(specs)
    return {run_id: labels.get(run_id) or RowLabel(run_id, None) for run_id in ids}


def summarize_labels(labels: Iterable[RowLabel]) -> list[str]:
    """Return one line per row: its label and its seeds, or their number if they are many."""
    seeds: dict[str, list[str]] = {}
    for label in labels:
        seeds.setdefault(label.row, []).append(str(label.seed))
    return [
        f"{row}: "
        + (f"{len(some)} seeds" if len(some) > SHOWN_SEEDS else f"seed{'s'[: len(some) - 1]} {', '.join(some)}")
        for row, some in seeds.items()
    ]


def shorten_id(run_id: str) -> str:
    """Return the end of an id, by which commands find the run."""
    return run_id[-KEY_LENGTH:]


def _read_spec(store: Store, run_id: str) -> RunSpec | None:
    """Read the spec of a run; None if there is no readable one."""
    try:
        return store.run(run_id).read_spec()
    except ValueError:
        return None
