"""`run`, `demo`, `verify`: runs on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import format_command, format_states, open_store, print_json, print_line, print_note
from benchmark.cli.options import (
    AsJson,
    DryRun,
    EngineName,
    Jobs,
    MaxImages,
    Name,
    NoCost,
    Overrides,
    PlanName,
    ProtocolName,
    RetryFailed,
    RunId,
    Seeds,
    SplitName,
    Threads,
    Workers,
    read_overrides,
)
from benchmark.cli.progress import show_progress
from benchmark.core.run_state import RunState
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.optional_packages import require_engine

if TYPE_CHECKING:
    from benchmark.core.run_spec import RunSpec
    from benchmark.core.study import Plan
    from benchmark.execution.worker_process import WorkerResources
    from benchmark.planning.selection import Selection
    from benchmark.store.store import Store

SHOWN_FAILURES = 5


def run(
    context: typer.Context,
    name: Name,
    split: SplitName = None,
    protocol: ProtocolName = None,
    seed: Seeds = None,
    overrides: Overrides = None,
    engine: EngineName = None,
    max_images: MaxImages = None,
    jobs: Jobs = None,
    threads: Threads = 1,
    workers: Workers = 0,
    no_cost: NoCost = False,
    plan_name: PlanName = None,
    dry_run: DryRun = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Run a method or a study on this machine. Finished runs are skipped."""
    from benchmark.execution.worker_process import WorkerResources
    from benchmark.planning.selection import select_runs

    store, overridden = open_store(context), read_overrides(overrides)
    fields = {"split": split, "protocol": protocol, "engine": engine, "max_images": max_images}
    selection = select_runs(
        name, store=store, keep=not dry_run, overrides=overridden, seeds=seed, plan_name=plan_name, **fields
    )
    if dry_run:
        print_runs(store, selection.ids)
        return
    resources = WorkerResources(threads, workers, measures_cost=not no_cost)
    raise typer.Exit(run_here(store, selection, jobs=jobs, resources=resources, retry_failed=retry_failed))


def run_here(
    store: Store, selection: Selection, *, jobs: int | None, resources: WorkerResources, retry_failed: bool
) -> int:
    """Run the unfinished runs of a selection, print their results, and return the exit code."""
    print_split_notes(selection.splits)
    code = run_specs(
        store,
        selection.specs,
        jobs=jobs,
        resources=resources,
        retry_failed=retry_failed,
        plan=selection.plan,
    )
    _print_results(store, selection.specs, selection.plan)
    return code


def demo(
    context: typer.Context,
    overrides: Overrides = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes at a time.")] = 2,
    dry_run: DryRun = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Run a short end-to-end demo. Trains Chimera-Seg, its ablations and two baselines on toybox; draws all results."""
    from benchmark.cli.reports import print_table, write_figures, write_segmentations
    from benchmark.core.study import load_study
    from benchmark.planning.plan_cache import plan_study
    from benchmark.planning.selection import modify_study

    store = open_store(context)
    study = modify_study(load_study("demo"), overrides=read_overrides(overrides))
    planned = plan_study(study, store, keep=not dry_run)
    if dry_run:
        print_runs(store, planned.plan.ids)
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


def verify(
    context: typer.Context,
    run_id: RunId,
    as_json: AsJson = False,
) -> None:
    """Rerun a finished run and compare its pixel counts. They must be identical, bit for bit; no record changes."""
    from benchmark.execution.verify import verify_run

    store = open_store(context)
    run_id = store.find(run_id)
    spec = store.run(run_id).read_spec()
    require_engine(spec.engine)
    print_note(f"rerunning {run_id} in a temporary folder")
    with show_progress({run_id: format_label(spec)}) as observe:
        verification = verify_run(run_id, store, observe=observe)
    if as_json:
        print_json(verification.to_json())
    else:
        for line in verification.format_lines():
            print_line(line)
    raise typer.Exit(ExitCode.SUCCESS if verification.is_identical else ExitCode.ERROR)


def run_specs(
    store: Store,
    specs: Sequence[RunSpec],
    *,
    jobs: int | None,
    retry_failed: bool,
    resources: WorkerResources | None = None,
    plan: Plan | None = None,
) -> int:
    """Run the unfinished specs, print which ones are skipped and why, and return the exit code."""
    from benchmark.execution.local_pool import count_cores, run_all
    from benchmark.execution.worker_process import WorkerResources

    open_specs, failed = _select_open(store, specs, retry_failed=retry_failed)
    for engine in {spec.engine for spec in open_specs}:
        require_engine(engine)  # before the start, since otherwise every run would record this failure
    labels = {spec.id: format_label(spec) for spec in specs} | (_label_rows(plan) if plan is not None else {})
    if open_specs:
        resources = resources or WorkerResources()
        jobs = min(jobs or max(1, count_cores() // resources.threads), len(open_specs))
        print_note(f"{len(open_specs)} to run, {jobs} at a time; records in {store.root}")
        try:
            with show_progress(labels) as observe:
                outcomes = run_all(open_specs, store=store, jobs=jobs, resources=resources, observe=observe)
        except KeyboardInterrupt:
            _print_interrupted(store, specs)
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        failed_ids = [run_id for run_id, outcome in outcomes.items() if outcome.state is RunState.FAILED]
        failed += len(failed_ids)
        for run_id in failed_ids[:SHOWN_FAILURES]:
            print_note(f"log of the failed run: {format_command(store, 'logs', run_id)}")
    return ExitCode.FINISHED_WITH_FAILURES if failed else ExitCode.SUCCESS


def print_split_notes(names: Sequence[str]) -> None:
    """Print the notes of splits."""
    from benchmark.core.split import load_split

    for name in names:
        if load_split(name).note:
            print_note(f"split {name}: {load_split(name).note}")


def _label_rows(plan: Plan) -> dict[str, str]:
    """Return a label for each run of a study: its row and seed, without what all rows have in common."""
    return {run_id: f"{row.label} seed {seed}" for row in plan.rows for seed, run_id in row.ids.items()}


def format_label(spec: RunSpec) -> str:
    """Return a label of a run for a line of output."""
    return f"{spec.method}/{spec.label} seed {spec.seed}"


def _select_open(store: Store, specs: Sequence[RunSpec], *, retry_failed: bool) -> tuple[list[RunSpec], int]:
    """Return the specs to run, and the number of failed runs that are skipped."""
    states = {spec.id: store.run(spec.id).read_state() for spec in specs}
    done = [run_id for run_id, state in states.items() if state is RunState.DONE]
    failed = [] if retry_failed else [run_id for run_id, state in states.items() if state.is_failed]
    if done:
        print_note(f"{len(done)} done already, skipped{_format_stale(store, done)}")
    if failed:
        print_note(f"{len(failed)} failed before, skipped; use --retry-failed to rerun")
    skipped = {*done, *failed}
    return [spec for spec in specs if spec.id not in skipped], len(failed)


def _format_stale(store: Store, done: Sequence[str]) -> str:
    from benchmark.store.environment import compute_code_digest

    stale = [
        run_id for run_id in done if store.run(run_id).read_record().environment.code_digest != compute_code_digest()
    ]
    if not stale:
        return ""
    return f" ({len(stale)} stale (older code); to rerun them, move their folders out of {store.root})"


def print_runs(store: Store, ids: Sequence[str]) -> None:
    """Print runs with their states."""
    states = [store.run(run_id).read_state() for run_id in ids]
    for state, run_id in zip(states, ids, strict=True):
        print_line(f"{state:<12} {run_id}")
    print_line(format_states(states))


def _print_results(store: Store, specs: Sequence[RunSpec], plan: Plan | None) -> None:
    from benchmark.evaluation.scores import score

    if plan is not None:
        print_line(format_states([store.run(spec.id).read_state() for spec in specs]))
        print_line(f"Print the table: {format_command(store, 'table', plan.study)}")
        return
    for spec in specs:
        run = store.run(spec.id)
        snapshot = run.read_snapshot()
        if snapshot.state is RunState.DONE:
            scores = score(run.read_counts(snapshot.record), "d2-main")
            text = f"S {scores.miou_seen:.2f}  U {scores.miou_unseen:.2f}  hIoU {scores.hiou:.2f}  (d2-main)"
            print_line(f"{format_label(spec)}: {text}")
        elif snapshot.record is not None:
            failure = snapshot.record.failure
            print_line(f"{format_label(spec)}: failed: {failure.message if failure else ''}")
        else:
            print_line(f"{format_label(spec)}: {snapshot.state}")
        print_line(f"  {spec.id}")


def _print_next_commands(store: Store, plan: Plan) -> None:
    done = next((run_id for run_id in plan.ids if store.run(run_id).read_state() is RunState.DONE), "ID")
    print_line(f"\nPrint the table:     {format_command(store, 'table', plan.study)}")
    print_line(f"Show one run:        {format_command(store, 'show', done)}")
    print_line(f"Reproduce a number:  {format_command(store, 'verify', done)}")


def _print_interrupted(store: Store, specs: Sequence[RunSpec]) -> None:
    states = [store.run(spec.id).read_state() for spec in specs]
    print_note(f"interrupted: {format_states(states)}")
    print_note(f"Records and checkpoints are kept in {store.root}{os.sep}; run the same command again to resume.")
