"""Selections: the runs that a request stands for, or given ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.core.grid import check_size, count_runs
from benchmark.core.paper_files import PAPERS, list_papers
from benchmark.core.paper_tables import is_table, load_table, read_name, spell_planned_table
from benchmark.core.plan import Plan, PlannedStudy
from benchmark.core.run_spec import RunSpec
from benchmark.core.study import STUDIES, Study, list_studies
from benchmark.core.table_name import TableName, is_paper_file, spell_paper
from benchmark.planning.plan_cache import raise_unsaved
from benchmark.planning.plan_notes import describe_planned, plan_aloud
from benchmark.planning.registry import list_methods
from benchmark.planning.requested_study import Request, is_study, make_requested_study
from benchmark.store.store import Store
from benchmark.store.stored_papers import locate_table

LARGE = 2000
"""Number of runs from which on a study says its size before it is planned, which may take minutes."""


@dataclass(frozen=True)
class Selection:
    """Runs to start.

    Attributes:
        name: Name of the study or method.
        ids: Ids of the runs, in the order of the plan.
        splits: Names or paths of the splits that the runs use.
        make_specs: Function that returns the specs of some of the runs.
        plan: Plan that the runs belong to; None for specs that were given one by one.
        is_named: Whether the plan has a name to save it under; the runs of a method have one only if they are a grid.
        table: Words behind `chimera-bench table` that print its results; those of its plan if there are none.
    """

    name: str
    ids: tuple[str, ...]
    splits: tuple[str, ...]
    make_specs: Callable[[Sequence[str]], Sequence[RunSpec]]
    plan: Plan | None = None
    is_named: bool = False
    table: tuple[str, ...] = ()

    @property
    def specs(self) -> Sequence[RunSpec]:
        """Specs of all runs."""
        return self.make_specs(self.ids)

    @property
    def named_plan(self) -> Plan | None:
        """Plan, if it has a name to save it under."""
        return self.plan if self.is_named else None


def select_specs(specs: Sequence[RunSpec], *, name: str = "") -> Selection:
    """Return a selection of given specs.

    Args:
        specs: At least one spec.
        name: Name of the selection; if empty, the method of the first spec.
    """
    by_id = {spec.id: spec for spec in specs}
    return Selection(
        name or specs[0].method, tuple(by_id), _list_splits(specs), lambda ids: [by_id[run_id] for run_id in ids]
    )


def select_study(planned: PlannedStudy, *, seeds: Sequence[int] = ()) -> Selection:
    """Return a selection of the runs of a planned study.

    Args:
        planned: Plan and specs.
        seeds: Seeds of the runs; if empty, all of the study. The one run of a deterministic row stands for all seeds.
    """
    plan = planned.plan
    ids = tuple(
        run_id
        for row in plan.rows
        for seed, run_id in row.ids.items()
        if not seeds or seed in seeds or row.is_deterministic
    )
    return Selection(plan.study, ids, _list_splits(planned.first_specs), planned.make_specs, plan, is_named=True)


def _list_splits(specs: Iterable[RunSpec]) -> tuple[str, ...]:
    """Return the names or paths of the splits of specs, each once."""
    return tuple(dict.fromkeys(spec.split_source or spec.split for spec in specs))


def select_runs(
    request: Request,
    *,
    store: Store,
    keep: bool = True,
    notify: Callable[[str], None] = lambda text: None,
    on_unsaved: Callable[[OSError], object] = raise_unsaved,
) -> Selection:
    """Resolve what a user asks for into runs.

    Args:
        request: Name of a method or a study, and changes.
        store: Store that holds the plans.
        keep: Whether a plan that has a name is saved: that of a study, or of a method with sweeps or a name for it.
        notify: Function for notes: before planning, that there are many runs; after it, which seeds need none.
        on_unsaved: Function for the error if the plan cannot be written; by default, it is raised.

    Raises:
        KeyError: A name is unknown; the message names the nearest.
        ValueError: The runs are impossible; the message says why.
        OSError: The plan cannot be written, unless `on_unsaved` takes the error.
    """
    given, request = request.name, replace(request, name=locate_table(store, request.name))
    if request.plan_name in {*list_studies(), *list_methods()} - {request.name}:
        raise ValueError(f"{request.plan_name!r} is the name of another study or method: give another --name")
    if is_study(request.name):
        study = make_requested_study(request)
        _check_own_name(study.name, request.name)
        _notify_size(study, notify)
        named = load_table(request.name) if is_table(request.name) else None
        digest, own = ("", ()) if named is None else (named.rows_digest, named.table.splits)
        planned = plan_aloud(study, store, keep=keep, notify=notify, on_unsaved=on_unsaved, rows_digest=digest)
        table = spell_planned_table(given, study.name, request.splits, own=own)
        return replace(select_study(planned, seeds=request.seeds), table=table)
    return _select_method(request, store=store, keep=keep, notify=notify, on_unsaved=on_unsaved)


def _check_own_name(name: str, source: str) -> None:
    """Check that a study in a file does not take the name of an included one, whose plan it would replace.

    Args:
        name: Name of the study with its changes.
        source: Name or path that the study was read from.
    """
    if is_table(source):
        _check_own_paper(read_name(source))
    path = Path(source).expanduser()
    is_file = path.suffix in (".yaml", ".yml") and path.resolve().parent != STUDIES
    if is_file and name in {*list_studies(), *list_methods()}:
        raise ValueError(
            f"study file {source} has the name of an included study or method, {name!r}: rename the file, or give "
            "another --name"
        )


def _check_own_paper(name: TableName) -> None:
    """Check that a paper in a file does not have the name of an included one, see `_check_own_name`."""
    path, included = Path(name.paper).expanduser(), {spell_paper(paper) for paper in list_papers()}
    if is_paper_file(name.paper) and path.resolve().parent != PAPERS and spell_paper(path.stem) in included:
        raise ValueError(f"paper file {name.paper} has the name of an included paper, {path.stem!r}: rename the file")


def _select_method(
    request: Request,
    *,
    store: Store,
    keep: bool,
    notify: Callable[[str], None],
    on_unsaved: Callable[[OSError], object],
) -> Selection:
    """Return the runs of a method."""
    study = make_requested_study(request)
    _notify_size(study, notify)
    is_named = bool(request.sweep) or request.plan_name is not None
    if is_named:
        planned = plan_aloud(study, store, keep=keep, notify=notify, on_unsaved=on_unsaved, place="")
    else:
        from benchmark.planning.expand import expand  # needs torch

        planned = expand(study, place="")
        for line in describe_planned(planned):
            notify(line)
    selection = select_study(planned)
    if len(study.seeds) > 1 and all(row.is_deterministic for row in planned.plan.rows):
        notify(f"{request.name} gives the same result with every seed: only seed {study.seeds[0]} is run")
    name = selection.name if is_named else planned.first_specs[0].method
    return replace(selection, name=name, is_named=is_named)


def _notify_size(study: Study, notify: Callable[[str], None]) -> None:
    check_size(study)
    if (count := count_runs(study)) > LARGE:
        notify(f"{study.name}: {count} runs; planning them may take minutes (Ctrl-C to stop)")
