"""`missing`: the runs that a study or a paper's table lacks, their cost, and a study that computes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.completion import complete_names
from benchmark.cli.console import (
    format_command,
    format_count,
    format_states,
    open_store,
    print_json,
    print_line,
    print_note,
)
from benchmark.cli.estimates import describe_estimates, parse_memory_gb, print_estimates
from benchmark.cli.options import AsJson
from benchmark.cli.out_files import Overwrite, make_out_file

if TYPE_CHECKING:
    from benchmark.core.study import Study
    from benchmark.planning.estimate import RowEstimate
    from benchmark.planning.missing_runs import MissingRuns
    from benchmark.store.store import Store


def missing(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="STUDY|PAPER/TABLE", autocompletion=complete_names, help="What may lack runs.")
    ],
    *,
    splits: Annotated[list[str] | None, typer.Option("--split", help="Only these splits.")] = None,
    device_memory: Annotated[
        str | None,
        typer.Option("--device-memory", metavar="GB", help="Estimate for a GPU with this memory, such as 80GB."),
    ] = None,
    out: Annotated[Path | None, make_out_file(text="Study file (.yaml) of the missing runs.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Print which runs a study or a paper's table lacks and what they would cost; write them as a study."""
    from benchmark.planning.missing_runs import join_missing
    from benchmark.store.stored_papers import locate_table

    store = open_store(context)
    located = locate_table(store, name)
    parts = _find_parts(located, tuple(splits or ()), store)
    rows = [row for part in parts for row in _estimate(part, store, device_memory)]
    study = join_missing(parts, name=out.stem if out is not None else "missing", title=f"Missing runs of {name}")
    if out is not None and study is not None:
        write_study(study, out)
    for line in _describe_imports(store, located, tuple(splits or ())):
        print_note(line)
    if as_json:
        return print_json(_describe(name, parts, rows))
    left, total = (
        sum(len(ids) for ids in some) for some in zip(*((part.left, part.states) for part in parts), strict=True)
    )
    print_line(f"{name}: {left} of {format_count(total, 'run')} not done")
    for part in parts:
        print_line(f"  {', '.join(part.selection.splits)}: {format_states(list(part.states.values()))}")
        if part.obstacle:
            print_note(f"{', '.join(part.selection.splits)}: all runs count as missing, since {part.obstacle}")
    if study is None:
        print_note("nothing is missing" + (f": {out} was not written" if out is not None else ""))
        return None
    print_line()
    print_estimates([row for row in rows if row.left])
    return _print_next_commands(store, name, splits or (), out=out)


def _print_next_commands(store: Store, name: str, splits: Sequence[str], *, out: Path | None) -> None:
    if out is not None:
        print_note(f"wrote {out}; compute them: {format_command(store, 'run', str(out))} (or submit)")
        return
    words = [word for split in splits for word in ("--split", split)]
    print_note(f"compute them: {format_command(store, 'run', name, *words)} (done runs are skipped)")
    print_note(f"as a study of their own: {format_command(store, 'missing', name, *words, '--out', 'missing.yaml')}")


def _find_parts(name: str, splits: tuple[str, ...], store: Store) -> list[MissingRuns]:
    """Return the missing runs; those of a table split by split, as not all of its datasets may be on this machine."""
    from benchmark.core.paper_tables import is_table, load_table
    from benchmark.planning.missing_runs import find_missing
    from benchmark.planning.requested_study import Request

    places = splits
    if is_table(name) and not splits:
        places = load_table(name).table.splits
    requests = (
        [Request(name, splits=(place,)) for place in places] if is_table(name) else [Request(name, splits=splits)]
    )
    return [find_missing(request, store) for request in requests]


def _describe_imports(store: Store, name: str, splits: tuple[str, ...]) -> list[str]:
    """Return a line per row and dataset of a paper's table whose imported predictions are missing."""
    from benchmark.core.paper_tables import choose_datasets
    from benchmark.report.papers.missing import describe_imports
    from benchmark.store.imported_rows import find_imported_rows
    from benchmark.store.stored_papers import find_table

    named = find_table(store, name)
    if named is None:
        return []
    datasets = [dataset for split in splits or ("",) for dataset in choose_datasets(named, split)]
    done = {(row.label, row.split) for row in find_imported_rows(store, named, datasets)}
    return list(describe_imports(named, datasets, done=done, spell=str))


def _estimate(part: MissingRuns, store: Store, device_memory: str | None) -> list[RowEstimate]:
    from benchmark.planning.estimate import estimate_rows
    from benchmark.planning.pace_times import TargetGpu

    gpu = None if device_memory is None else TargetGpu(parse_memory_gb(device_memory))
    return estimate_rows(part.selection, store, gpu=gpu)


def write_study(study: Study, path: Path) -> None:
    """Write a study as a YAML file, under the name of the file.

    Raises:
        ValueError: The suffix is not that of a YAML file.
        OSError: The file cannot be written.
    """
    from benchmark.utils.atomic_files import write_text
    from benchmark.utils.yaml_files import format_table

    if path.suffix not in (".yaml", ".yml"):
        raise ValueError(f"{path} has not the suffix of a study: give a name that ends in .yaml")
    fields: dict[str, Any] = study.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
    write_text(path, format_table(fields))


def _describe(name: str, parts: list[MissingRuns], rows: list[RowEstimate]) -> dict[str, Any]:
    return {
        "name": name,
        "states": {run_id: state for part in parts for run_id, state in part.states.items()},
        "missing": [run_id for part in parts for run_id in part.left],
        "obstacles": [part.obstacle for part in parts if part.obstacle],
        "estimate": describe_estimates(rows),
    }
