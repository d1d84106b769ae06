"""`list` and `plan`: what can be run, and the runs of a study."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.console import (
    format_command,
    format_count,
    format_names,
    format_states,
    open_store,
    print_columns,
    print_json,
    print_line,
    print_note,
)
from benchmark.cli.errors import format_message
from benchmark.cli.estimates import describe_estimates, parse_memory_gb, print_estimates
from benchmark.cli.options import AsJson
from benchmark.cli.run_options import RunOptions, with_run_options
from benchmark.utils.paths import ROOT
from benchmark.utils.plain_text import clean_text

if TYPE_CHECKING:
    from benchmark.planning.estimate import RowEstimate
    from benchmark.planning.requested_study import Request
    from benchmark.planning.selection import Selection
    from benchmark.store.store import Store

SHOWN_SEEDS = 10
"""Largest number of seeds for which a plan shows one column per seed."""


def list_all(as_json: AsJson = False) -> None:
    """List methods with their variants, studies, tables of papers, splits and protocols."""
    methods, broken = _list_methods()
    studies, splits, protocols = _list_studies(), _list_splits(), _list_protocols()
    tables = _list_tables()
    if as_json:
        everything = {"methods": methods, "broken": broken, "studies": studies, "tables": tables}
        print_json(everything | {"splits": splits, "protocols": protocols})
        return
    print_line("Methods and their variants")
    for method in methods:
        print_line(f"  {method['name']}: {method['summary']}")
        for variant in method["variants"]:
            print_line(f"    {shlex.quote(method['name'] + '/' + variant)}")
    for name, reason in broken.items():
        print_line(f"  {name}: cannot be read: {reason}")
    print_line("\nStudies")
    for study in studies:
        size = f"{format_count(study['rows'], 'row')} x {format_count(study['seeds'], 'seed')}"
        print_line(f"  {study['name']}: {clean_text(study['title'])} ({size}, {study['split']})")
    print_line("\nTables of papers")
    for table in tables:
        print_line(f"  {table['name']}: {clean_text(table['title'])}")
    print_line("\nSplits")
    for split in splits:
        classes = f"{split['seen']} seen and {split['unseen']} unseen classes"
        print_line(f"  {split['name']}: {split['dataset']}, {classes}, protocol {split['protocol']}")
    print_line(f"\nProtocols\n  {', '.join(protocols)}")
    print_line("\nRun a method:  chimera-bench run METHOD/VARIANT --split SPLIT --seed 0")
    print_line("Run a study:   chimera-bench run STUDY")
    print_line("Print a table: chimera-bench table PAPER/TABLE")


@with_run_options
def plan(
    context: typer.Context,
    options: RunOptions,
    *,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate hours and memory from finished runs and measured paces.")
    ] = False,
    device_memory: Annotated[
        str | None,
        typer.Option("--device-memory", metavar="GB", help="Estimate for a GPU with this memory, such as 80GB."),
    ] = None,
    without_files: Annotated[
        bool,
        typer.Option("--without-files", help="Estimate before data and weights are there; saves nothing."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the runs that `run` would start. Saves the plan of a study or a sweep; starts nothing."""
    from benchmark.planning.selection import select_runs

    _check_options(estimate=estimate, device_memory=device_memory, without_files=without_files)
    store, request = open_store(context), options.make_request()
    unsaved: list[OSError] = []
    if without_files:
        selection = _outline(request)
    else:
        selection = select_runs(request, store=store, notify=print_note, on_unsaved=unsaved.append)
    for error in unsaved:
        print_note(f"not saved: {format_message(error)}")
    _warn_of_missing_engine(selection)
    resolved, rows = selection.named_plan, _estimate(selection, store, device_memory) if estimate else None
    if as_json:
        extra = {} if rows is None else {"estimate": describe_estimates(rows)}
        print_json(_describe_selection(selection, store, is_saved=selection.is_named and not unsaved) | extra)
        return
    print_selection(selection, store)
    if rows is not None:
        print_line()
        print_estimates(rows)
    saved = f"saved as {resolved.study!r}; " if resolved is not None and not unsaved else ""
    print_note(f"{saved}run it with: {format_command(store, 'run', *options.list_words())}")


def _warn_of_missing_engine(selection: Selection) -> None:
    """Print why `run` would refuse the engine of a study on this machine; another one may have it."""
    from benchmark.utils.optional_packages import require_engine

    for engine in {spec.engine for spec in selection.make_specs(selection.ids[:1])}:
        try:
            require_engine(engine)
        except ValueError as error:
            print_note(f"cannot be run on this machine: {error}")


def _check_options(*, estimate: bool, device_memory: str | None, without_files: bool) -> None:
    """Check that options of an estimate come with one.

    Raises:
        ValueError: They do not.
    """
    if not estimate and (device_memory is not None or without_files):
        given = "--device-memory" if device_memory is not None else "--without-files"
        raise ValueError(f"{given} is an option of an estimate: add --estimate")


def _outline(request: Request) -> Selection:
    from benchmark.planning.outline import outline_runs

    return outline_runs(request)


def _estimate(selection: Selection, store: Store, device_memory: str | None) -> list[RowEstimate]:
    from benchmark.planning.estimate import estimate_rows
    from benchmark.planning.pace_times import TargetGpu

    gpu = None if device_memory is None else TargetGpu(parse_memory_gb(device_memory))
    return estimate_rows(selection, store, gpu=gpu)


def print_selection(selection: Selection, store: Store) -> None:
    """Print the state of each run by row and seed ("-" if it is not selected), or a summary per row."""
    plan = selection.plan
    if plan is None:
        return
    states = {run_id: store.run(run_id).read_state() for run_id in selection.ids}
    rows = [(row, {seed: states[run] for seed, run in row.ids.items() if run in states}) for row in plan.rows]
    rows = [(row, cells) for row, cells in rows if cells]
    seeds = sorted({seed for _, cells in rows for seed in cells})
    size = f"{format_count(len(rows), 'row')}, {format_count(len(states), 'run')}"
    print_line(f"{clean_text(plan.title)} ({format_names(plan.splits)}; {size})")
    heads = [[row.split, row.label] if len(plan.splits) > 1 else [row.label] for row, _ in rows]
    names = ["split", "row"][-len(heads[0]) :]
    if len(seeds) > SHOWN_SEEDS:
        summaries = [format_states(list(cells.values())) for _, cells in rows]
        names, columns = [*names, f"{len(seeds)} seeds"], [[text] for text in summaries]
    else:
        names += [f"seed {seed}" for seed in seeds]
        columns = [[cells.get(seed, "-") for seed in seeds] for _, cells in rows]
    print_columns(names, [[*head, *column] for head, column in zip(heads, columns, strict=True)])
    print_line(format_states(list(states.values())))


def _describe_selection(selection: Selection, store: Store, *, is_saved: bool) -> dict[str, Any]:
    """Return a plan and the state of each of its selected runs as JSON."""
    plan = {} if selection.plan is None else selection.plan.model_dump(mode="json")
    states = {run_id: store.run(run_id).read_state() for run_id in selection.ids}
    return plan | {"is_saved": is_saved, "states": states}


def _list_methods() -> tuple[list[dict[str, Any]], dict[str, str]]:
    from benchmark.planning.registry import describe_method, list_methods

    methods: list[dict[str, Any]] = []
    broken: dict[str, str] = {}
    for name in list_methods():
        try:
            entry = describe_method(name)
        except ValueError as error:
            broken[name] = str(error)
            continue
        fields = {"name": entry.name, "title": entry.title, "summary": entry.summary, "source": str(entry.source)}
        methods.append(fields | {"variants": list(entry.variants)})
    return methods, broken


def _list_studies() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "title": fields.get("title", ""),
            "rows": len(fields.get("rows", ())),
            "seeds": len(fields.get("seeds", ())),
            "split": _name_splits(fields),
        }
        for name, fields in _read_yaml_files(ROOT / "benchmark" / "studies")
    ]


def _list_tables() -> list[dict[str, str]]:
    return [
        {"name": f"{path.replace('_', '-')}/{name}", "title": f"{fields.get('title', '')}: {table.get('title', '')}"}
        for path, fields in _read_yaml_files(ROOT / "benchmark" / "papers")
        for name, table in fields.get("tables", {}).items()
    ]


def _name_splits(fields: dict[str, Any]) -> str:
    """Return the splits of a study: their names, or how they are drawn."""
    resampled = fields.get("resampled")
    if resampled:
        return f"{format_count(resampled['count'], 'split')} of {resampled['of']}"
    names = fields.get("split", fields.get("splits", ""))
    return names if isinstance(names, str) else ", ".join(names)


def _list_splits() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "dataset": fields.get("dataset", ""),
            "seen": len(fields.get("classes", ())) - len(fields.get("unseen", ())),
            "unseen": len(fields.get("unseen", ())),
            "protocol": fields.get("protocol", "plain"),
        }
        for name, fields in _read_yaml_files(ROOT / "splits")
    ]


def _list_protocols() -> list[str]:
    return sorted(path.stem for path in (ROOT / "splits" / "protocols").glob("*.yaml"))


def _read_yaml_files(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Read the YAML files of a folder as plain dicts, since typed values take too long for `list`."""
    from benchmark.utils.yaml_files import read_table

    return [(path.stem, read_table(path, kind="YAML mapping")) for path in sorted(folder.glob("*.yaml"))]
