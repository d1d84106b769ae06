"""`verify`: one run is repeated and compared, or the runs of a table are compared with their file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import format_command, open_store, print_json, print_line, print_note
from benchmark.cli.exchange import verify_imported
from benchmark.cli.options import AsJson, Jobs, Seeds
from benchmark.cli.progress import show_progress
from benchmark.cli.runs import label_specs, run_specs
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.optional_packages import require_engine

if TYPE_CHECKING:
    from benchmark.execution.listed_table import ListedTable
    from benchmark.store.store import Store


Against = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Compare with the JSON file of a table instead of repeating a run."),
]
Predictions = Annotated[
    Path | None,
    typer.Option(
        "--predictions",
        metavar="DIR",
        help="Label maps of an imported run, which are counted again; default: where they were at the import.",
    ),
]


def verify(
    context: typer.Context,
    *,
    run_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="ID of a run, or an unambiguous part of it.")
    ] = None,
    against: Against = None,
    seed: Seeds = None,
    run: Annotated[
        bool,
        typer.Option("--run", help="With --against: run missing and failed runs first, and those with broken files."),
    ] = False,
    jobs: Jobs = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="If all counts are identical, the run is no longer stale.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the repeated run, with its log, in this folder.")
    ] = None,
    predictions: Predictions = None,
    as_json: AsJson = False,
) -> None:
    """Repeat a finished run and compare its pixel counts, or compare runs with a table. No record changes.

    The label maps of an imported run are counted again.

    --accept writes accepted.json beside the record of a stale run if the present code gave identical counts.

    The exit code is 0 if all counts are identical, 4 if counts differ or do not give the scores of the table, 3 if a
    run failed, is broken or missing, and 1 if nothing can be compared.
    """
    if (run_id is None) == (against is None):
        raise typer.BadParameter("give the ID of a run, or --against FILE")
    if run_id is not None and (seed or run):
        raise typer.BadParameter("--seed and --run need --against FILE")
    if run_id is None and (accept or keep):
        raise typer.BadParameter("--accept and --keep need the ID of a run")
    store = open_store(context)
    if against is not None:
        raise typer.Exit(_verify_table(store, against, seeds=seed or (), jobs=jobs, runs_missing=run, as_json=as_json))
    folder = store.run(store.find(run_id or ""))
    if folder.read_spec().is_imported:
        raise typer.Exit(verify_imported(folder, path=predictions, accepts=accept, as_json=as_json))
    if predictions is not None:
        raise typer.BadParameter(f"--predictions: {folder.id} was not imported")
    raise typer.Exit(_verify_run(store, folder.id, keep=keep, accepts=accept, as_json=as_json))


def _verify_run(store: Store, run_id: str, *, keep: Path | None, accepts: bool, as_json: bool) -> ExitCode:
    from benchmark.execution.trackers.tracker import TRACK_VARIABLE
    from benchmark.execution.verify import verify_run
    from benchmark.store.staleness import accept, find_changes

    spec = store.run(run_id).read_spec()
    require_engine(spec.engine)
    os.environ.pop(TRACK_VARIABLE, None)  # trackers know the original run by the same name
    note = f"rerunning {run_id} in {keep or 'a temporary folder'}"
    with show_progress({run_id: str(label_specs([spec], None)[run_id])}) as observe:
        verification = verify_run(
            run_id, store, keep=keep, uses_present_source=accepts, begin=lambda: print_note(note), observe=observe
        )
    run, original = store.run(run_id), verification.original
    is_accepted = accepts and verification.is_identical and bool(find_changes(original, run))
    if is_accepted:
        accept(run, original, verification.repeated)
    if as_json:
        print_json(verification.to_json() | {"accepted": is_accepted})
        return verification.exit_code
    for line in verification.format_lines():
        print_line(line)
    if verification.repeated.failure is not None:
        _print_log_command(store, run_id, keep)
    if accepts:
        print_line(f"accepted: noted in {run.acceptance_path}" if is_accepted else "nothing to accept")
    return verification.exit_code


def _print_log_command(store: Store, run_id: str, keep: Path | None) -> None:
    """Say how to see the log of a repeated run that failed."""
    from benchmark.store.store import Store

    show = format_command(Store(keep or "DIR", options=store.options), "logs", run_id)
    again = "" if keep else f"{format_command(store, 'verify', run_id, '--keep', 'DIR')}, then "
    print_note(f"its log: {again}{show}")


def _verify_table(
    store: Store, file: Path, *, seeds: Sequence[int], jobs: int | None, runs_missing: bool, as_json: bool
) -> ExitCode:
    from benchmark.execution.listed_table import read_listed_table
    from benchmark.execution.verify_table import Outcome, compare_with_table

    table = read_listed_table(file, seeds=seeds, plans=store.list_plans())
    if runs_missing:
        _run_missing(store, table, jobs=jobs)
    check = compare_with_table(table, store)
    if as_json:
        print_json(check.to_json())
        return check.exit_code
    for line in check.format_lines():
        print_line(line)
    outcomes = {run.outcome for run in check.runs}
    command = format_command(store, "verify", "--run", "--against", str(file))
    if Outcome.MISSING in outcomes:
        print_note(f"run the missing ones: {command}")
    if Outcome.BROKEN in outcomes:
        print_note(f"to run broken ones again, move their folders out of {store.root}, then: {command}")
    return check.exit_code


def _run_missing(store: Store, table: ListedTable, *, jobs: int | None) -> None:
    """Run what the store lacks, with the threads that the listed runs had."""
    from benchmark.execution.verify import check_repeatable
    from benchmark.execution.worker_process import WorkerResources

    specs = [listed.spec for _, listed in table.runs]
    for spec in {(spec.method, repr(spec.config)): spec for spec in specs}.values():
        check_repeatable(spec)  # before the start, since otherwise every run would record this failure
    for threads in sorted({listed.environment.threads for _, listed in table.runs}):
        specs = [listed.spec for _, listed in table.runs if listed.environment.threads == threads]
        run_specs(store, specs, jobs=jobs, resources=WorkerResources(threads), retry_failed=True)
