"""Requests: the runs of a method or a study that a user names, as a study with changes of its settings."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.core.paper_tables import (
    explain_missing_table,
    explain_whole_paper,
    is_table,
    load_table,
    make_table_study,
    read_name,
)
from benchmark.core.study import STUDIES, Study, list_studies, load_study
from benchmark.core.table_name import TableName
from benchmark.planning.missing_method import explain_missing_method
from benchmark.planning.modified_study import format_changes, make_name, make_study, modify_study
from benchmark.planning.registry import list_methods
from benchmark.utils.method_names import INIT, is_method_path, is_path_like, name_method_file, split_method


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


def _modify(study: Study, request: Request) -> Study:
    """Return a study with the changes of a request."""
    fields = {**request.fields, "split": request.splits or None}
    if not set(request.seeds) <= {*study.seeds, *(seed for row in study.rows for seed in row.seeds)}:
        fields["seeds"] = request.seeds  # other seeds make another study; some of its seeds are a part of the same one
    return modify_study(study, overrides=request.overrides, sweep=request.sweep, name=request.plan_name, **fields)


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
    if about_paper := explain_missing_table(name) or explain_whole_paper(name):
        raise KeyError(about_paper)
    raise KeyError(explain_missing_method("method or study", name if is_whole else method, [*methods, *studies]))
