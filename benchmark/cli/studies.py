"""What there is to run, and which runs a study consists of."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.console import (
    AsJson,
    Overrides,
    format_command,
    open_store,
    print_columns,
    print_json,
    print_line,
    print_note,
    read_overrides,
)
from benchmark.core.run_state import RunState
from benchmark.utils.paths import ROOT

if TYPE_CHECKING:
    from benchmark.core.study import Plan, Study
    from benchmark.store.store import Store

SHOWN_SEEDS = 10
"""So many seeds have a column each in a plan."""


def list_all(as_json: AsJson = False) -> None:
    """Methods with their variants, studies, splits, protocols."""
    methods, broken = _methods()
    studies, splits, protocols = _studies(), _splits(), _protocols()
    if as_json:
        found = {"methods": methods, "broken": broken, "studies": studies, "splits": splits, "protocols": protocols}
        print_json(found)
        return
    print_line("Methods, with their variants")
    for method in methods:
        print_line(f"  {method['name']}: {method['summary']}")
        for variant in method["variants"]:
            print_line(f"    {shlex.quote(method['name'] + '/' + variant)}")
    for name, reason in broken.items():
        print_line(f"  {name}: cannot be read: {reason}")
    print_line("\nStudies")
    for study in studies:
        print_line(
            f"  {study['name']}: {study['title']} ({study['rows']} rows x {study['seeds']} seeds, {study['split']})"
        )
    print_line("\nSplits")
    for split in splits:
        words = f"{split['dataset']}, {split['seen']} seen and {split['unseen']} unseen classes"
        print_line(f"  {split['name']}: {words}, protocol {split['protocol']}")
    print_line(f"\nProtocols\n  {', '.join(protocols)}")
    print_line("\nRun one:   chimera-bench run METHOD/VARIANT --split SPLIT --seed 0")
    print_line("Run all:   chimera-bench run STUDY")


def plan(
    context: typer.Context,
    study: Annotated[str, typer.Argument(help="Name of a study, or path of its YAML file.")],
    overrides: Overrides = None,
    name: Annotated[str | None, typer.Option(help="What to call the plan.")] = None,
    as_json: AsJson = False,
) -> None:
    """Which runs a study consists of. Keeps the plan, says where each run stands, and starts nothing."""
    from benchmark.core.study import load_study
    from benchmark.planning.plan_cache import planned

    store = open_store(context)
    found = planned(changed_study(load_study(study), changes=read_overrides(overrides), name=name), store).plan
    if as_json:
        print_json(plan_json(found, store))
        return
    show_plan(found, store)
    words = ["run", study, *(word for change in overrides or () for word in ("--set", change))]
    words += ["--name", name] if name else []
    print_note(f"kept as {found.study!r}; run it with: {format_command(store, *words)}")


def changed_study(
    study: Study,
    *,
    changes: Mapping[str, Any],
    name: str | None = None,
    **fields: Any,
) -> Study:
    """A study with other settings; it gets a name of its own, so that its table is not mistaken for the original's.

    Args:
        study: stays as it is.
        changes: dotted overrides for every row.
        name: of the changed study; made of what was changed where None.
        fields: other fields of the study; None leaves one as it is.
    """
    given = {key: value for key, value in fields.items() if value is not None and value != getattr(study, key)}
    words = [f"{key}={_word(value)}" for key, value in {**given, **changes}.items()]
    if words:
        given["title"] = f"{study.title} [{', '.join(words)}]"
        given["set"] = {**study.set, **changes}
        kept = [{key: value for key, value in row.set.items() if key not in changes} for row in study.rows]
        given["rows"] = [row.model_dump() | {"set": own} for row, own in zip(study.rows, kept, strict=True)]
    return type(study).model_validate(study.model_dump() | given | {"name": name or _name(study.name, words)})


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _name(study: str, words: Sequence[str]) -> str:
    text = re.sub(r"[^A-Za-z0-9_.=+-]+", "-", "+".join([study, *words])).strip("-")
    return text if len(text) <= 120 else f"{text[:100]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def show_plan(plan: Plan, store: Store) -> None:
    """Print rows by seeds, with the state of each run; of many seeds, only how many runs are in which state."""
    seeds = sorted({seed for row in plan.rows for seed in row.ids})
    states = {run_id: store.run(run_id).read_state() for run_id in plan.ids}
    print_line(f"{plan.title} ({plan.split}; {len(plan.rows)} rows, {len(plan.ids)} runs)")
    if len(seeds) > SHOWN_SEEDS:
        tallies = [[row.label, tally([states[run_id] for run_id in row.ids.values()])] for row in plan.rows]
        print_columns(["row", f"{len(seeds)} seeds"], tallies)
    else:
        rows = [[row.label, *(states[row.ids[seed]] for seed in seeds)] for row in plan.rows]
        print_columns(["row", *(f"seed {seed}" for seed in seeds)], rows)
    print_line(tally(list(states.values())))


def plan_json(plan: Plan, store: Store) -> dict[str, Any]:
    """A plan with the state of each run."""
    return plan.model_dump(mode="json") | {"states": {run_id: store.run(run_id).read_state() for run_id in plan.ids}}


def tally(states: Sequence[RunState]) -> str:
    """How many are in which state, in one line."""
    return " · ".join(f"{states.count(state)} {state}" for state in RunState if state in states) or "no runs"


def _methods() -> tuple[list[dict[str, Any]], dict[str, str]]:
    from benchmark.planning.registry import describe, method_names

    found: list[dict[str, Any]] = []
    broken: dict[str, str] = {}
    for name in method_names():
        try:
            entry = describe(name)
        except ValueError as error:
            broken[name] = str(error)
            continue
        words = {"name": entry.name, "title": entry.title, "summary": entry.summary, "source": str(entry.source)}
        found.append(words | {"variants": list(entry.variants)})
    return found, broken


def _studies() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "title": one.get("title", ""),
            "rows": len(one.get("rows", ())),
            "seeds": len(one.get("seeds", ())),
            "split": one.get("split", ""),
        }
        for name, one in _shipped(ROOT / "benchmark" / "studies")
    ]


def _splits() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "dataset": one.get("dataset", ""),
            "seen": len(one.get("classes", ())) - len(one.get("unseen", ())),
            "unseen": len(one.get("unseen", ())),
            "protocol": one.get("protocol", "plain"),
        }
        for name, one in _shipped(ROOT / "splits")
    ]


def _protocols() -> list[str]:
    return sorted(path.stem for path in (ROOT / "splits" / "protocols").glob("*.yaml"))


def _shipped(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """What ships in a folder, as it stands there: building typed values would take longer than `list` may."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: list[tuple[str, dict[str, Any]]] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            found.append((path.stem, dict(yaml.load(path.read_bytes(), Loader=loader) or {})))
        except (yaml.YAMLError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a table in YAML: {str(error).splitlines()[0]}") from error
    return found
