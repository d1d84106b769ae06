"""Labels of runs for people: the row of a study and the seed, instead of the id."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmark.store.exact_names import read_spec
from benchmark.store.method_code import name_code
from benchmark.store.row_differences import describe_differences
from benchmark.store.store import Store
from benchmark.utils.plain_text import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmark.core.plan import Plan
    from benchmark.core.run_spec import RunSpec

KEY_LENGTH = 16
"""Number of characters at the end of an id that tell it apart and that commands accept in its place."""
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
    has_one_split = len(plan.splits) == 1
    labels: dict[str, RowLabel] = {}
    for row in plan.rows:
        name = row.label if counts[row.label, row.split] == 1 else f"{row.method}/{row.label}"
        name = clean_text(name if has_one_split else f"{name} on {row.split}")
        labels |= {run_id: RowLabel(name, seed, plan.study) for seed, run_id in row.ids.items()}
    return labels


def label_unplanned(specs: Iterable[RunSpec]) -> dict[str, RowLabel]:
    """Return the labels of runs that need not belong to a study by id.

    Labels of different rows that would be the same end in the settings in which the rows differ.
    """
    specs = list(specs)
    return tell_apart({spec.id: RowLabel(f"{spec.method}/{spec.label}", spec.seed) for spec in specs}, specs)


def tell_apart(labels: Mapping[str, RowLabel], specs: Iterable[RunSpec]) -> dict[str, RowLabel]:
    """Return labels that end in the settings in which their rows differ, if those of several rows are the same.

    Args:
        labels: Labels by ID of the run.
        specs: Specs of the runs; runs without a spec keep their labels.
    """
    specs = list(specs)
    labels = _name_files(labels, specs)
    rows: dict[str, dict[str, RunSpec]] = {}
    numbers = {spec.id: spec.digest_row() for spec in specs}
    for spec in specs:
        rows.setdefault(labels[spec.id].row, {}).setdefault(numbers[spec.id], spec)
    endings = {
        number: text
        for same in rows.values()
        if len(same) > 1
        for number, text in zip(same, describe_differences(list(same.values())), strict=True)
    }
    return dict(labels) | {
        run_id: replace(labels[run_id], row=f"{labels[run_id].row} [{endings[number]}]")
        for run_id, number in numbers.items()
        if number in endings
    }


def _name_files(labels: Mapping[str, RowLabel], specs: Sequence[RunSpec]) -> dict[str, RowLabel]:
    """Return labels with the path of the method's file instead of its name, if the code of several files has a name."""
    codes: dict[str, set[str]] = {}
    for spec in specs:
        codes.setdefault(labels[spec.id].row, set()).add(name_code(spec))
    return dict(labels) | {
        spec.id: replace(label, row=name_code(spec) + label.row.removeprefix(spec.method))
        for spec in specs
        if len(codes[(label := labels[spec.id]).row]) > 1 and label.row.startswith(f"{spec.method}/")
    }


def label_runs(
    store: Store, ids: Sequence[str], *, study: str = "", plans: Mapping[str, Plan] | None = None
) -> dict[str, RowLabel]:
    """Return the labels of runs by id.

    Args:
        store: Store that holds the plans. A plan that cannot be read is skipped.
        ids: Ids of runs.
        study: Name of the study whose labels come first, for runs that several studies have.
        plans: Plans of the store by name, if they have been read.
    """
    labels: dict[str, RowLabel] = {}
    plans = store.read_plans()[0] if plans is None else plans
    for name in sorted(plans, key=lambda name: name == study):
        labels |= label_plan(plans[name])
    specs = {run_id: spec for run_id in ids if run_id not in labels and (spec := _read_spec(store, run_id)) is not None}
    labels |= {spec.id: RowLabel(f"{spec.method}/{spec.label}", spec.seed) for spec in specs.values()}
    found = {run_id: labels.get(run_id) or RowLabel(run_id, None) for run_id in ids}
    counts = Counter((label.row, label.seed) for label in found.values())
    rows = {label.row for run_id, label in found.items() if counts[label.row, label.seed] > 1 or run_id in specs}
    wanted = [run_id for run_id, label in found.items() if label.row in rows]
    same = [specs.get(run_id) or _read_spec(store, run_id) for run_id in wanted]
    return tell_apart(found, [spec for spec in same if spec is not None])


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
        return read_spec(store.run(run_id))
    except ValueError:
        return None
