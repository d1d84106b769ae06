"""What a command is to run: a method or a study, with what the options change of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from benchmark.core.run_spec import RunSpec
    from benchmark.core.study import Plan, Study
    from benchmark.store.store import Store

Name = Annotated[
    str, typer.Argument(metavar="METHOD[/VARIANT] | STUDY", help="A method, a method's .py file, or a study.")
]
Seeds = Annotated[list[int] | None, typer.Option("--seed", metavar="N", min=0, help="Seed; may be repeated.")]
SplitName = Annotated[str | None, typer.Option("--split", help="Split to train and score on.")]
ProtocolName = Annotated[str | None, typer.Option("--protocol", help="Rules of the run; the split's if not given.")]
EngineName = Annotated[str | None, typer.Option("--engine", help="fabric or detectron2.")]
Limit = Annotated[int | None, typer.Option("--max-images", min=0, help="Score only the first images (testing only).")]
PlanName = Annotated[str | None, typer.Option("--name", help="What to call the plan of a changed study.")]


@dataclass(frozen=True)
class Choice:
    """What to run.

    Attributes:
        name: what it is called.
        ids: of the runs, in the order of the plan.
        splits: that they use.
        specs_of: gives what to run for some of them.
        plan: of the study they belong to; None for runs of a method.
    """

    name: str
    ids: tuple[str, ...]
    splits: tuple[str, ...]
    specs_of: Callable[[Sequence[str]], Sequence[RunSpec]]
    plan: Plan | None = None

    @property
    def specs(self) -> Sequence[RunSpec]:
        """What to run, all of it."""
        return self.specs_of(self.ids)


def of_specs(specs: Sequence[RunSpec], *, name: str = "") -> Choice:
    """Some runs, at least one; called after their method where no name is given."""
    by_id = {spec.id: spec for spec in specs}
    splits = tuple(dict.fromkeys(spec.split for spec in specs))
    return Choice(name or specs[0].method, tuple(by_id), splits, lambda ids: [by_id[run_id] for run_id in ids])


def choose(
    name: str,
    *,
    store: Store,
    keep: bool = True,
    overrides: dict[str, Any],
    seeds: Sequence[int] | None = None,
    plan_name: str | None = None,
    **fields: Any,
) -> Choice:
    """Resolve what is named.

    Args:
        name: of a method or a study.
        store: where plans are kept.
        keep: keep the plan of a study.
        overrides: dotted key to value.
        seeds: of a method's runs, 0 where not given; of a study those of its runs that are wanted, or others.
        plan_name: of a changed study.
        fields: split, protocol, engine and limit; None leaves what the study or the default says.

    Raises:
        KeyError, ValueError: anything of it is not known or not possible.
    """
    if is_study(name):
        study = _changed(name, changes=overrides, seeds=tuple(seeds or ()), plan_name=plan_name, fields=fields)
        return _of_study(study, store=store, keep=keep, seeds=tuple(seeds or ()))
    from benchmark.planning.resolve import resolve

    given = {key: value for key, value in fields.items() if value is not None}
    setting = {"split": "toybox"} | given
    return of_specs([resolve(name, seed=seed, overrides=overrides, **setting) for seed in seeds or (0,)])


def is_study(name: str) -> bool:
    """Whether a name stands for a study rather than a method.

    Raises:
        ValueError: it stands for both.
        KeyError: it stands for neither; names the nearest.
    """
    from benchmark.core.study import STUDIES, study_names
    from benchmark.planning.registry import method_names
    from benchmark.utils.did_you_mean import unknown_name

    if name.endswith((".yaml", ".yml")):
        return True
    method = name.partition("/")[0]
    if ".py" in name or (method in method_names() and name not in study_names()):
        return False
    if name in method_names():
        path = STUDIES / f"{name}.yaml"
        raise ValueError(
            f"{name!r} is both a method and a study: say {name}/VARIANT for the method, {path} for the study"
        )
    if name in study_names():
        return True
    raise KeyError(unknown_name("method or study", method, [*method_names(), *study_names()]))


def _changed(
    name: str, *, changes: dict[str, Any], seeds: tuple[int, ...], plan_name: str | None, fields: dict[str, Any]
) -> Study:
    """The study with its changes; some of its seeds are a part of the same one, others make another."""
    from benchmark.cli.studies import changed_study
    from benchmark.core.study import load_study

    study = load_study(name)
    is_part = set(seeds) <= set(study.seeds)
    return changed_study(study, changes=changes, name=plan_name, **fields | ({} if is_part else {"seeds": seeds}))


def _of_study(study: Study, *, store: Store, keep: bool, seeds: tuple[int, ...]) -> Choice:
    from benchmark.planning.plan_cache import planned

    found = planned(study, store, keep=keep)
    wanted = set(seeds or study.seeds)
    ids = tuple(run_id for row in found.plan.rows for seed, run_id in row.ids.items() if seed in wanted)
    return Choice(found.plan.study, ids, (study.split,), found.specs_of, found.plan)
