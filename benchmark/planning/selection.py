"""Selections: the runs of a method or a study that a user names, with changes of their settings."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.core.grid import check_size, count_runs
from benchmark.core.paper_tables import (
    explain_missing_table,
    explain_whole_paper,
    is_table,
    load_table,
    make_table_study,
    read_name,
    spell_planned_table,
)
from benchmark.core.run_spec import RunSpec
from benchmark.core.study import STUDIES, Plan, PlannedStudy, Study, list_studies, load_study
from benchmark.core.table_name import TableName
from benchmark.planning.missing_method import explain_missing_method
from benchmark.planning.modified_study import format_changes, make_name, make_study, modify_study
from benchmark.planning.plan_notes import describe_weights, plan_aloud
from benchmark.planning.registry import list_methods, load_recipe, simplify_name
from benchmark.store.store import Store
from benchmark.store.stored_papers import locate_table
from benchmark.utils.method_names import INIT, is_method_path, is_path_like, name_method_file, split_method

LARGE = 2000
"""Number of runs from which on a study says its size before it is planned, which may take minutes."""


@dataclass(frozen=True)
class Request:
    """What a user asks to run.

    Attributes:
        name: Name of a method, a study, or a table of a paper.
        splits: Splits; if empty, those of the study or table, or toybox.
        seeds: Seeds; if empty, those of the study, or 0. For a study, those of its seeds that are wanted, or others.
        overrides: Values by dotted key, for every row.
        sweep: Lists of values by dotted key, for every row.
        plan_name: Name to save the plan under; None for one made from the changes.
        fields: Values of protocol, engine and max_images; None for the value of the study or the default.
        weights: Path of a published checkpoint that the method starts from; empty for none.
    """

    name: str
    splits: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    sweep: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    plan_name: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    weights: str = ""


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
    request: Request, *, store: Store, keep: bool = True, notify: Callable[[str], None] = lambda text: None
) -> Selection:
    """Resolve what a user asks for into runs.

    Args:
        request: Name of a method or a study, and changes.
        store: Store that holds the plans.
        keep: Whether a plan that has a name is saved: that of a study, or of a method with sweeps or a name for it.
        notify: Function for notes: before planning, that there are many runs; after it, which seeds need none.

    Raises:
        KeyError: A name is unknown; the message names the nearest.
        ValueError: The runs are impossible; the message says why.
    """
    given, request = request.name, replace(request, name=locate_table(store, request.name))
    if request.plan_name in {*list_studies(), *list_methods()} - {request.name}:
        raise ValueError(f"{request.plan_name!r} is the name of another study or method: give another --name")
    if is_study(request.name):
        study = make_requested_study(request)
        _check_own_name(study.name, request.name)
        _notify_size(study, notify)
        selection = select_study(plan_aloud(study, store, keep=keep, notify=notify), seeds=request.seeds)
        own = load_table(request.name).table.splits if is_table(request.name) else ()
        return replace(selection, table=spell_planned_table(given, study.name, request.splits, own=own))
    return _select_method(request, store=store, keep=keep, notify=notify)


def make_requested_study(request: Request) -> Study:
    """Return the study of a request with its changes; of a method, the study whose only row it is.

    Raises:
        KeyError: The name is unknown; the message names the nearest.
        ValueError: A study is given a checkpoint, or a change is invalid.
    """
    if not is_study(request.name):
        return _make_method_study(request)
    if request.weights:
        raise ValueError(f"--weights is for a method: give rows of {request.name} their own, weights: FILE")
    if is_table(request.name):
        _refuse_change(read_name(request.name))
        return _modify(make_table_study(load_table(request.name), request.splits), replace(request, splits=()))
    if whole := explain_whole_paper(request.name):
        raise ValueError(whole)
    return _modify(load_study(request.name), request)


def _refuse_change(name: TableName) -> None:
    """Check that changed settings of a table to run are given as options."""
    if name.change:
        raise ValueError(
            f"{name} is the name of a table with changed settings, for reports: give them as options "
            f"({shlex.join(name.run_words)})"
        )


def _check_own_name(name: str, source: str) -> None:
    """Check that a study in a file does not take the name of an included one, whose plan it would replace.

    Args:
        name: Name of the study with its changes.
        source: Name or path that the study was read from.
    """
    path = Path(source).expanduser()
    is_file = path.suffix in (".yaml", ".yml") and path.resolve().parent != STUDIES
    if is_file and name in {*list_studies(), *list_methods()}:
        raise ValueError(
            f"study file {source} has the name of an included study or method, {name!r}: rename the file, or give "
            "another --name"
        )


def _modify(study: Study, request: Request) -> Study:
    """Return a study with the changes of a request."""
    fields = {**request.fields, "split": request.splits or None}
    if not set(request.seeds) <= {*study.seeds, *(seed for row in study.rows for seed in row.seeds)}:
        fields["seeds"] = request.seeds  # other seeds make another study; some of its seeds are a part of the same one
    return modify_study(study, overrides=request.overrides, sweep=request.sweep, name=request.plan_name, **fields)


def _select_method(request: Request, *, store: Store, keep: bool, notify: Callable[[str], None]) -> Selection:
    """Return the runs of a method."""
    study = make_requested_study(request)
    _notify_size(study, notify)
    is_named = bool(request.sweep) or request.plan_name is not None
    if is_named:
        planned = plan_aloud(study, store, keep=keep, notify=notify, place="")
    else:
        from benchmark.planning.expand import expand  # needs torch

        planned = expand(study, place="")
        for line in describe_weights(planned):
            notify(line)
    selection = select_study(planned)
    if len(study.seeds) > 1 and all(row.is_deterministic for row in planned.plan.rows):
        notify(f"{request.name} gives the same result with every seed: only seed {study.seeds[0]} is run")
    if request.overrides.get("budget.iterations") and _trains_nothing(request.name):
        notify(f"{request.name} trains nothing (Supervision.NONE): budget.iterations has no effect")
    name = selection.name if is_named else planned.first_specs[0].method
    return replace(selection, name=name, is_named=is_named)


def _trains_nothing(method: str) -> bool:
    """Return whether a method learns from no targets, whatever its budget is."""
    from benchmark.core.method import Supervision  # needs torch

    recipe = load_recipe(simplify_name(split_method(method)[0]))
    return recipe.traits.supervision is Supervision.NONE


def _make_method_study(request: Request) -> Study:
    """Return the study whose only row is a method; it has a name in any case, which need not be used."""
    fields = {key: value for key, value in request.fields.items() if value is not None}
    given = {"split": request.splits, "seeds": request.seeds}
    general = {key: value for key, value in given.items() if value} | fields
    weights = {"weights": request.weights} if request.weights else {}
    changes = format_changes(weights, {"set": request.overrides, "sweep": request.sweep})
    words = [*format_changes(general, {"set": {}, "sweep": {}}), *changes]
    method = _shorten_method(request.name)
    return make_study(
        fields
        | {
            "name": request.plan_name or make_name(method.replace(".py", "", 1), words),
            "title": f"{method} [{', '.join(changes)}]" if changes else method,
            "rows": [{"method": request.name} | weights],
            "split": request.splits or ("toybox",),
            "seeds": request.seeds or (0,),
            "set": request.overrides,
        }
        | ({"sweep": request.sweep} if request.sweep else {})
    )


def _shorten_method(method: str) -> str:
    """Return a method without the folders that its file is in."""
    name, label = split_method(method)
    if not name.endswith(".py"):
        return method
    file = name_method_file(name) if Path(name).name == INIT else Path(name).name
    return f"{file}/{label}" if label else file


def _notify_size(study: Study, notify: Callable[[str], None]) -> None:
    check_size(study)
    if (count := count_runs(study)) > LARGE:
        notify(f"{study.name}: {count} runs; planning them may take minutes (Ctrl-C to stop)")


def is_study(name: str) -> bool:
    """Return whether a name stands for a study or a table of a paper, and not for a method.

    Raises:
        ValueError: The name stands for both.
        KeyError: The name stands for neither; the message names the nearest.
    """
    if name.endswith((".yaml", ".yml")) or is_table(name):
        return True
    method = name.partition("/")[0]
    methods, studies = list_methods(), list_studies()
    if is_method_path(name) or (method in methods and name not in studies):
        return False
    if name in methods:
        path = STUDIES / f"{name}.yaml"
        raise ValueError(
            f"{name!r} is both a method and a study: use {name}/VARIANT for the method, {path} for the study"
        )
    if name in studies:
        return True
    is_whole = is_path_like(name) or Path(name).is_dir()
    if missing := explain_missing_table(name):
        raise KeyError(missing)
    raise KeyError(explain_missing_method("method or study", name if is_whole else method, [*methods, *studies]))
