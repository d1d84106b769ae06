"""`run`, `demo`, `verify`: runs on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import format_command, format_names, format_states, open_store, print_line, print_note
from benchmark.cli.local_runs import choose_exit_code, leave_out_unreadable, start_runs
from benchmark.cli.methods import print_contracts
from benchmark.cli.options import (
    Device,
    DryRun,
    Jobs,
    NoCost,
    Overrides,
    RetryFailed,
    Threads,
    TimeLimit,
    Track,
    Workers,
    read_overrides,
    read_time_limit,
)
from benchmark.cli.run_options import RunOptions, with_run_options
from benchmark.core.run_state import RunState

if TYPE_CHECKING:
    from benchmark.core.plan import Plan
    from benchmark.core.run_spec import RunSpec
    from benchmark.execution.worker_process import WorkerResources
    from benchmark.planning.selection import Selection
    from benchmark.store.row_labels import RowLabel
    from benchmark.store.store import Store


@with_run_options
def run(
    context: typer.Context,
    options: RunOptions,
    *,
    jobs: Jobs = None,
    threads: Threads = 1,
    workers: Workers = 0,
    device: Device = None,
    time_limit: TimeLimit = None,
    track: Track = "",
    no_cost: NoCost = False,
    dry_run: DryRun = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Run a method or a study on this machine. Finished runs are skipped."""
    from benchmark.execution.worker_process import WorkerResources
    from benchmark.planning.selection import select_runs

    store, limit_s = open_store(context), read_time_limit(time_limit)
    selection = select_runs(options.make_request(), store=store, keep=not dry_run, notify=print_note)
    if dry_run:
        print_runs(store, selection)
        return
    resources = WorkerResources(threads, workers, measures_cost=not no_cost, time_limit_s=limit_s)
    code = run_here(store, selection, jobs=jobs, device=device, resources=resources, retry_failed=retry_failed)
    raise typer.Exit(code)


def run_here(
    store: Store,
    selection: Selection,
    *,
    jobs: int | None,
    resources: WorkerResources,
    retry_failed: bool,
    device: str | None = None,
) -> int:
    """Run the unfinished runs of a selection, print their results, and return the exit code."""
    print_split_notes(selection.splits)
    code = run_specs(
        store,
        selection.specs,
        jobs=jobs,
        device=device,
        resources=resources,
        retry_failed=retry_failed,
        plan=selection.named_plan,
    )
    print_contracts(store, selection)
    _print_results(store, selection.specs, selection.named_plan, table=selection.table)
    return code


def demo(
    context: typer.Context,
    *,
    overrides: Overrides = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes at a time.")] = 2,
    dry_run: DryRun = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Run a short end-to-end demo. Trains Chimera-Seg, its ablations and two baselines on toybox; draws all results."""
    from benchmark.cli.plots import write_figures, write_segmentations
    from benchmark.cli.reports import print_table
    from benchmark.core.study import load_study
    from benchmark.planning.modified_study import modify_study
    from benchmark.planning.plan_cache import plan_study
    from benchmark.planning.selection import select_study

    store = open_store(context)
    study = modify_study(load_study("demo"), overrides=read_overrides(overrides))
    planned = plan_study(study, store, keep=not dry_run)
    if dry_run:
        print_runs(store, select_study(planned))
        return
    code = run_specs(store, planned.specs, jobs=jobs, retry_failed=retry_failed, plan=planned.plan)
    print_line()
    print_table(store, planned.plan)
    out = store.root / "reports" / study.name
    print_line("\nFigures")
    for path in [*write_figures(store, planned.plan, out), *write_segmentations(store, planned.plan, out)]:
        print_line(f"  {path}")
    _print_next_commands(store, planned.plan)
    raise typer.Exit(code)


def run_specs(
    store: Store,
    specs: Sequence[RunSpec],
    *,
    jobs: int | None,
    retry_failed: bool,
    resources: WorkerResources | None = None,
    device: str | None = None,
    plan: Plan | None = None,
) -> int:
    """Run the unfinished specs, print which ones are skipped and why, and return the exit code."""
    from benchmark.execution.worker_process import WorkerResources

    open_specs, failed = _select_open(store, specs, retry_failed=retry_failed)
    labels = {run_id: str(label) for run_id, label in label_specs(specs, plan).items()}
    states = []
    if open_specs:
        resources = resources or WorkerResources()
        states = start_runs(store, open_specs, labels, jobs=jobs, device=device, resources=resources)
    return choose_exit_code(states, num_failed_before=failed)


def print_split_notes(names: Sequence[str]) -> None:
    """Print the notes of splits."""
    from benchmark.core.split import load_split

    notes: dict[str, list[str]] = {}
    for name in names:
        notes.setdefault(load_split(name).note, []).append(name)
    for note, noted in notes.items():
        if note:
            print_note(f"split{'s' * (len(noted) > 1)} {format_names(noted)}: {note}")


def _select_open(store: Store, specs: Sequence[RunSpec], *, retry_failed: bool) -> tuple[list[RunSpec], int]:
    """Return the specs to run, and the number of failed runs that are skipped."""
    readable = leave_out_unreadable(store, [spec.id for spec in specs])
    states = {run_id: store.run(run_id).read_state() for run_id in readable}
    done = [run_id for run_id, state in states.items() if state is RunState.DONE]
    failed = [] if retry_failed else [run_id for run_id, state in states.items() if state.is_failed]
    broken = [run_id for run_id in failed if states[run_id] is RunState.BROKEN]
    if done:
        print_note(f"{len(done)} done already, skipped{_format_stale(store, done)}")
    if len(failed) > len(broken):
        print_note(f"{len(failed) - len(broken)} failed before, skipped; use --retry-failed to rerun")
    if broken:
        print_note(
            f"{len(broken)} with broken files, skipped; --retry-failed reruns them and keeps the files in attempts/"
        )
    chosen = set(readable) - {*done, *failed}
    return [spec for spec in specs if spec.id in chosen], len(failed) + len(specs) - len(readable)


def _format_stale(store: Store, done: Sequence[str]) -> str:
    from benchmark.store.staleness import find_changes

    runs = [store.run(run_id) for run_id in done]
    stale = [run.id for run in runs if find_changes(run.read_record(), run)]
    if not stale:
        return ""
    return f" ({len(stale)} stale; to repeat them: {format_command(store, 'rerun', 'NAME', '--stale')})"


def label_specs(specs: Sequence[RunSpec], plan: Plan | None) -> dict[str, RowLabel]:
    """Return the labels of runs by ID: rows of the plan, if there is one."""
    from benchmark.store.row_labels import label_plan, label_unplanned

    labels = label_unplanned(specs)
    return labels if plan is None else labels | label_plan(plan)


def label_selection(store: Store, selection: Selection) -> dict[str, RowLabel]:
    """Return the labels of a selection's runs by ID: rows of its plan, or of the planned study that it is called by."""
    plan = selection.named_plan
    if plan is None:
        plan = store.read_plans()[0].get(selection.name)
    return label_specs(selection.specs if selection.named_plan is None else (), plan)


def print_runs(store: Store, selection: Selection) -> None:
    """Print the runs of a selection with their states and labels."""
    from benchmark.store.row_labels import shorten_id

    labels = label_selection(store, selection)
    states = [store.run(run_id).read_state() for run_id in selection.ids]
    for state, run_id in zip(states, selection.ids, strict=True):
        print_line(f"{state:<12} {labels[run_id]}  {shorten_id(run_id)}")
    print_line(format_states(states))


def _print_results(store: Store, specs: Sequence[RunSpec], plan: Plan | None, *, table: Sequence[str] = ()) -> None:
    from benchmark.evaluation.scores import score
    from benchmark.evaluation.undefined_scores import describe_undefined_run
    from benchmark.report.tables.numbers import format_score

    if plan is not None:
        print_line(format_states([store.run(spec.id).read_state() for spec in specs]))
        print_line(f"Print the table: {format_command(store, 'table', *(table or [plan.study]))}")
        return
    labels = label_specs(specs, None)
    for spec in specs:
        run = store.run(spec.id)
        snapshot = run.read_snapshot()
        if snapshot.state is RunState.DONE:
            counts = run.read_counts(snapshot.record)
            scores = score(counts, "d2-main")
            values = {"S": scores.miou_seen, "U": scores.miou_unseen, "hIoU": scores.hiou}
            text = "  ".join(f"{name} {format_score(value, digits=2)}" for name, value in values.items())
            print_line(f"{labels[spec.id]}: {text}  (d2-main)")
            for reason in describe_undefined_run(counts, scores, "d2-main"):
                print_line(f"  {reason}")
        elif snapshot.record is not None:
            failure = snapshot.record.failure
            print_line(f"{labels[spec.id]}: failed: {failure.summary if failure else ''}")
        else:
            print_line(f"{labels[spec.id]}: {snapshot.state}")
        print_line(f"  {spec.id}")


def _print_next_commands(store: Store, plan: Plan) -> None:
    done = next((run_id for run_id in plan.ids if store.run(run_id).read_state() is RunState.DONE), "ID")
    print_line(f"\nPrint the table:     {format_command(store, 'table', plan.study)}")
    print_line(f"Show one run:        {format_command(store, 'show', done)}")
    print_line(f"Reproduce a number:  {format_command(store, 'verify', done)}")
