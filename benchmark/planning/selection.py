"""Selections: the runs of a method or a study that a user names, with changes of their settings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.core.run_name import format_value
from benchmark.core.run_spec import RunSpec
from benchmark.core.study import STUDIES, Plan, PlannedStudy, Study, list_studies, load_study
from benchmark.planning.plan_cache import plan_study
from benchmark.planning.registry import list_methods
from benchmark.store.store import Store
from benchmark.utils.did_you_mean import explain_unknown_name

MAX_NAME = 120
"""Largest length of a modified study's name."""


@dataclass(frozen=True)
class Selection:
    """Runs to start.

    Attributes:
        name: Name of the study or method.
        ids: Ids of the runs, in the order of the plan.
        splits: Names or paths of the splits that the runs use.
        make_specs: Function that returns the specs of some of the runs.
        plan: Plan of the study that the runs belong to; None for runs of a method.
    """

    name: str
    ids: tuple[str, ...]
    splits: tuple[str, ...]
    make_specs: Callable[[Sequence[str]], Sequence[RunSpec]]
    plan: Plan | None = None

    @property
    def specs(self) -> Sequence[RunSpec]:
        """Specs of all runs."""
        return self.make_specs(self.ids)


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
    return Selection(plan.study, ids, _list_splits(planned.first_specs), planned.make_specs, plan)


def _list_splits(specs: Iterable[RunSpec]) -> tuple[str, ...]:
    """Return the names or paths of the splits of specs, each once."""
    return tuple(dict.fromkeys(spec.split_source or spec.split for spec in specs))


def select_runs(
    name: str,
    *,
    store: Store,
    keep: bool = True,
    overrides: Mapping[str, Any],
    seeds: Sequence[int] | None = None,
    plan_name: str | None = None,
    **fields: Any,
) -> Selection:
    """Resolve the name of a method or a study into runs.

    Args:
        name: Name of a method or a study.
        store: Store that holds the plans.
        keep: Whether the plan of a study is saved.
        overrides: Values by dotted key.
        seeds: Seeds of a method's runs, 0 if not given. For a study, those of its seeds that are wanted, or others.
        plan_name: Name of the plan if the study is modified.
        fields: Values of split (a sequence), protocol, engine and max_images; None for the value of the study or the
            default.

    Raises:
        KeyError: A name is unknown; the message names the nearest.
        ValueError: The runs are impossible; the message says why.
    """
    seeds = tuple(seeds or ())
    splits = tuple(fields.pop("split", None) or ())
    if is_study(name):
        fields |= {"split": splits or None}
        study = load_study(name)
        if not set(seeds) <= {seed for row in (study, *study.rows) for seed in row.seeds}:
            fields |= {"seeds": seeds}  # other seeds make another study; some of its seeds are a part of the same one
        study = modify_study(study, overrides=overrides, name=plan_name, **fields)
        return select_study(plan_study(study, store, keep=keep), seeds=seeds)
    if plan_name is not None:
        raise ValueError(f"{name!r} is a method, and only a study has a plan to name {plan_name!r}: leave out --name")
    from benchmark.planning.resolve import resolve  # needs torch

    settings = {key: value for key, value in fields.items() if value is not None}
    return select_specs(
        [
            resolve(name, split=split, seed=seed, overrides=overrides, **settings)
            for split in splits or ("toybox",)
            for seed in seeds or (0,)
        ]
    )


def is_study(name: str) -> bool:
    """Return whether a name stands for a study and not for a method.

    Raises:
        ValueError: The name stands for both.
        KeyError: The name stands for neither; the message names the nearest.
    """
    if name.endswith((".yaml", ".yml")):
        return True
    method = name.partition("/")[0]
    methods, studies = list_methods(), list_studies()
    if ".py" in name or (method in methods and name not in studies):
        return False
    if name in methods:
        path = STUDIES / f"{name}.yaml"
        raise ValueError(
            f"{name!r} is both a method and a study: use {name}/VARIANT for the method, {path} for the study"
        )
    if name in studies:
        return True
    if Path(name).expanduser().is_dir():
        raise KeyError(f"{name!r} is a folder: give the path of a method file in it, {Path(name) / 'FILE.py'}")
    is_path = name.startswith((".", "/", "~"))
    raise KeyError(explain_unknown_name("method or study", name if is_path else method, [*methods, *studies]))


def modify_study(study: Study, *, overrides: Mapping[str, Any], name: str | None = None, **fields: Any) -> Study:
    """Return a study with other settings, under another name, so that its table is not mistaken for the original's.

    Args:
        study: Study to start from; it is not modified.
        overrides: Values by dotted key, for every row.
        name: Name of the modified study; None for one made from the changes.
        fields: Other fields of the study and of all its rows; None keeps the study's own.
    """
    changes = {key: value for key, value in fields.items() if value is not None and _is_change(study, key, value)}
    words = [f"{key}={_format_value(value)}" for key, value in {**changes, **overrides}.items()]
    if words:
        rows = [
            _remove_keys(row.model_dump(), changes) | {"set": _remove_keys(row.set, overrides)} for row in study.rows
        ]
        title = f"{study.title} [{', '.join(words)}]"
        changes |= {"title": title, "set": {**study.set, **overrides}, "rows": rows}
    return Study.model_validate(study.model_dump() | changes | {"name": name or _make_name(study.name, words)})


def _is_change(study: Study, key: str, value: Any) -> bool:
    """Return whether a value of a field is another one for the study or for a row that has its own."""
    return value != getattr(study, key) or any(
        getattr(row, key, None) not in ((), "", None, value) for row in study.rows
    )


def _remove_keys(values: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}


def _format_value(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else format_value(value)


def _make_name(study: str, words: Sequence[str]) -> str:
    text = re.sub(r"[^A-Za-z0-9_.=+-]+", "-", "+".join([study, *words])).strip("-")
    return text if len(text) <= MAX_NAME else f"{text[:100]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
