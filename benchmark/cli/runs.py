"""What starts runs: `run`, `demo`, `verify`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.choice import (
    Choice,
    EngineName,
    Limit,
    Name,
    PlanName,
    ProtocolName,
    Seeds,
    SplitName,
    choose,
)
from benchmark.cli.console import (
    AsJson,
    Jobs,
    Overrides,
    format_command,
    open_store,
    print_json,
    print_line,
    print_note,
    read_overrides,
)
from benchmark.cli.progress import watching
from benchmark.cli.studies import changed_study, tally
from benchmark.utils.optional_packages import require_engine

if TYPE_CHECKING:
    from benchmark.core.run_spec import RunSpec
    from benchmark.core.study import Plan
    from benchmark.store.store import Store

FINISHED_WITH_FAILURES, INTERRUPTED = 3, 130
SHOWN_FAILURES = 5

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be run and stop.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of each run.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes of each run that read images ahead.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try failed runs again.")]


def run(
    context: typer.Context,
    name: Name,
    split: SplitName = None,
    protocol: ProtocolName = None,
    seed: Seeds = None,
    overrides: Overrides = None,
    engine: EngineName = None,
    max_images: Limit = None,
    jobs: Jobs = None,
    threads: Threads = 1,
    workers: Workers = 0,
    plan_name: PlanName = None,
    dry_run: DryRun = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Run a method, or all of a study, on this machine. What is done already is not run again."""
    fields = {"split": split, "protocol": protocol, "engine": engine, "max_images": max_images}
    store = open_store(context)
    choice = choose(
        name,
        store=store,
        keep=not dry_run,
        overrides=read_overrides(overrides),
        seeds=seed,
        plan_name=plan_name,
        **fields,
    )
    if dry_run:
        say_runs(store, choice.ids)
        return
    raise typer.Exit(
        run_here(open_store(context), choice, jobs=jobs, threads=threads, workers=workers, retry_failed=retry_failed)
    )


def run_here(store: Store, choice: Choice, *, jobs: int | None, threads: int, workers: int, retry_failed: bool) -> int:
    """Run what is not done and print what came of it; returns the exit code."""
    note_splits(choice.splits)
    code = run_specs(
        store, choice.specs, jobs=jobs, threads=threads, workers=workers, retry_failed=retry_failed, plan=choice.plan
    )
    _say_results(store, choice.specs, choice.plan)
    return code


def demo(
    context: typer.Context,
    overrides: Overrides = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes at a time.")] = 2,
    dry_run: DryRun = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Everything once, in minutes. Chimera-Seg, its ablations and two peers on toybox, to a table and figures."""
    from benchmark.cli.reports import show_table, write_figures, write_pictures
    from benchmark.core.study import load_study
    from benchmark.planning.plan_cache import planned

    store = open_store(context)
    found = planned(changed_study(load_study("demo"), changes=read_overrides(overrides)), store, keep=not dry_run)
    if dry_run:
        say_runs(store, found.plan.ids)
        return
    code = run_specs(store, found.specs, jobs=jobs, retry_failed=retry_failed, plan=found.plan)
    print_line()
    show_table(store, found.plan)
    out = store.root / "reports" / found.plan.study
    print_line("\nFigures")
    for path in [*write_figures(store, found.plan, out), *write_pictures(store, found.plan, out)]:
        print_line(f"  {path}")
    done = next((run_id for run_id in found.plan.ids if store.state(run_id) == "done"), "ID")
    print_line(f"\nThe table again:    {format_command(store, 'table', found.plan.study)}")
    print_line(f"One run in detail:  {format_command(store, 'show', done)}")
    print_line(f"Remake a number:    {format_command(store, 'verify', done)}")
    raise typer.Exit(code)


def verify(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a run, or a part of it that fits one run.")],
    as_json: AsJson = False,
) -> None:
    """Remake a run and compare. The pixel counts must be the same, bit for bit; they are made in a scratch folder."""
    from benchmark.execution import verify as again

    store = open_store(context)
    found = store.find(run_id)
    require_engine(store.spec(found).engine)
    print_note(f"running {found} again in a scratch folder")
    with watching({found: label(store.spec(found))}) as watch:
        verdict = again.verify(found, store, observe=watch)
    if as_json:
        print_json(again.as_json(verdict))
    else:
        for line in again.in_words(verdict):
            print_line(line)
    raise typer.Exit(0 if verdict.is_same else 1)


def run_specs(
    store: Store,
    specs: Sequence[RunSpec],
    *,
    jobs: int | None,
    retry_failed: bool,
    threads: int = 1,
    workers: int = 0,
    plan: Plan | None = None,
) -> int:
    """Run what is not done, telling what is left out and why; returns the exit code."""
    from benchmark.execution.local_pool import cores, run_all
    from benchmark.execution.worker_process import Resources

    open_specs, skipped_failed = _open(store, specs, retry_failed=retry_failed)
    for engine in {spec.engine for spec in open_specs}:
        require_engine(engine)  # here, as each run would fail with it and keep a record of that
    labels = {spec.id: label(spec) for spec in specs} | (_row_labels(plan) if plan is not None else {})
    failed = skipped_failed
    if open_specs:
        jobs = min(jobs or max(1, cores() // threads), len(open_specs))
        print_note(f"{len(open_specs)} to run, {jobs} at a time; records in {store.root}")
        try:
            with watching(labels) as watch:
                outcomes = run_all(open_specs, store=store, jobs=jobs, each=Resources(threads, workers), observe=watch)
        except KeyboardInterrupt:
            _note_interrupted(store, specs)
            raise typer.Exit(INTERRUPTED) from None
        lost = [run_id for run_id, outcome in outcomes.items() if outcome.state == "failed"]
        failed += len(lost)
        for run_id in lost[:SHOWN_FAILURES]:
            print_note(f"its log: {format_command(store, 'logs', run_id)}")
    return FINISHED_WITH_FAILURES if failed else 0


def note_splits(names: Sequence[str]) -> None:
    """Say what splits warn of."""
    from benchmark.core.split import load_split

    for name in names:
        if load_split(name).note:
            print_note(f"split {name}: {load_split(name).note}")


def _row_labels(plan: Plan) -> dict[str, str]:
    """What a study calls its runs: the row and the seed, without what all rows have in common."""
    return {run_id: f"{row.label} seed {seed}" for row in plan.rows for seed, run_id in row.ids.items()}


def label(spec: RunSpec) -> str:
    """What to call a run in a line."""
    return f"{spec.method}/{spec.label} seed {spec.seed}"


def _open(store: Store, specs: Sequence[RunSpec], *, retry_failed: bool) -> tuple[list[RunSpec], int]:
    """The specs to run, and how many failed ones are left out."""
    states = {spec.id: store.state(spec.id) for spec in specs}
    done = [run_id for run_id, state in states.items() if state == "done"]
    lost = [run_id for run_id, state in states.items() if state in ("failed", "broken")]
    if done:
        print_note(f"{len(done)} done already{_stale_words(store, done)}, not run again")
    if lost and not retry_failed:
        print_note(f"{len(lost)} failed before, not run again; to try again: --retry-failed")
    left_out = {*done, *(() if retry_failed else lost)}
    return [spec for spec in specs if spec.id not in left_out], 0 if retry_failed else len(lost)


def _stale_words(store: Store, done: Sequence[str]) -> str:
    from benchmark.store.environment import code_digest

    stale = [run_id for run_id in done if store.record(run_id).environment.code_digest != code_digest()]
    if not stale:
        return ""
    return f" ({len(stale)} by other code than the present; to run those again, move their folders out of {store.root})"


def say_runs(store: Store, ids: Sequence[str]) -> None:
    """What would be run, and where it stands."""
    states = [store.state(run_id) for run_id in ids]
    for state, run_id in zip(states, ids, strict=True):
        print_line(f"{state:<12} {run_id}")
    print_line(tally(states))


def _say_results(store: Store, specs: Sequence[RunSpec], plan: Plan | None) -> None:
    from benchmark.evaluation.scores import score

    if plan is not None:
        print_line(tally([store.state(spec.id) for spec in specs]))
        print_line(f"The table: {format_command(store, 'table', plan.study)}")
        return
    for spec in specs:
        state = store.state(spec.id)
        if state == "done":
            scores = score(store.counts(spec.id), "d2-main")
            shown = f"S {scores.miou_seen:.2f}  U {scores.miou_unseen:.2f}  hIoU {scores.hiou:.2f}  (d2-main)"
            print_line(f"{label(spec)}: {shown}")
        elif state == "failed":
            failure = store.record(spec.id).failure
            print_line(f"{label(spec)}: failed: {failure.message if failure else ''}")
        else:
            print_line(f"{label(spec)}: {state}")
        print_line(f"  {spec.id}")


def _note_interrupted(store: Store, specs: Sequence[RunSpec]) -> None:
    states = [store.state(spec.id) for spec in specs]
    print_note(f"interrupted: {tally(states)}")
    print_note(f"Records and checkpoints are kept in {store.root}{os.sep}; the same command goes on from there.")
