"""Grids on a cluster: `submit`, `retry`, `cancel`, `collect`."""

from __future__ import annotations

import time
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
    of_specs,
)
from benchmark.cli.console import (
    AsJson,
    Overrides,
    format_command,
    open_store,
    print_json,
    print_line,
    print_note,
    read_overrides,
)
from benchmark.cli.runs import FINISHED_WITH_FAILURES, DryRun, RetryFailed, note_splits, run_here, say_runs
from benchmark.cli.studies import tally
from benchmark.utils.optional_packages import require_engine

if TYPE_CHECKING:
    from benchmark.core.run_spec import RunSpec
    from benchmark.store.store import Store
    from slurm.requests.profile import Profile, SlurmProfile
    from slurm.status.run_status import Stand
    from slurm.submit import Receipt

POLL_S = 30.0

Cluster = Annotated[
    str, typer.Option("--cluster", "-c", help="Profile of a cluster or its YAML file; local or debug for this machine.")
]
Names = Annotated[list[str], typer.Argument(metavar="STUDY | ID...", help="A planned study, or runs.")]


def submit(
    context: typer.Context,
    name: Name,
    cluster: Cluster,
    split: SplitName = None,
    protocol: ProtocolName = None,
    seed: Seeds = None,
    overrides: Overrides = None,
    engine: EngineName = None,
    max_images: Limit = None,
    plan_name: PlanName = None,
    dry_run: DryRun = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Send what is open of a study, or of a method's runs, to a cluster; returns at once."""
    from slurm.requests.profile import load_profile

    profile = load_profile(cluster)
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
    raise typer.Exit(_start(store, choice, profile, dry_run=dry_run, retry_failed=retry_failed))


def retry(
    context: typer.Context,
    names: Names,
    cluster: Cluster,
    dry_run: DryRun = False,
) -> None:
    """Send failed runs again: all of a planned study, or those that are named."""
    from slurm.requests.profile import load_profile

    store, profile = open_store(context), load_profile(cluster)
    failed = [run_id for run_id in _named(store, names) if store.state(run_id) in ("failed", "broken")]
    if not failed:
        print_line("none of them has failed")
        return
    study = names[0] if _is_plan(store, names) else ""  # by name, as a profile may have settings for it
    choice = of_specs([store.spec(run_id) for run_id in failed], name=study)
    raise typer.Exit(_start(store, choice, profile, dry_run=dry_run, retry_failed=True))


def cancel(
    context: typer.Context,
    names: Names,
    dry_run: DryRun = False,
) -> None:
    """Cancel the jobs of a planned study, or of runs. What they had saved is kept; submit goes on from there."""
    from slurm.scheduler import queue
    from slurm.status.run_status import overview

    store = open_store(context)
    wanted = set(_named(store, names))
    alive = [stand for stand in overview(store, sorted(wanted)).stands if stand.is_alive and stand.place]
    _refuse_shared(alive, wanted)
    targets = {target for stand in alive if stand.place is not None and (target := stand.place.target)}
    here = [run_id for run_id in wanted if store.state(run_id) == "running" and run_id not in {s.id for s in alive}]
    if here:
        print_note(f"{len(here)} run on this machine and not in a job; end the command that started them")
    if dry_run:
        for job, task in sorted(targets):
            print_line(f"{job}_{task}")
        return
    objections = queue.cancel(targets)
    for line in objections:
        print_note(line)
    print_line(
        f"{len(alive)} runs in {len(targets)} jobs cancelled" if not objections else "not all could be cancelled"
    )
    raise typer.Exit(1 if objections else 0)


def collect(
    context: typer.Context,
    study: Annotated[str, typer.Argument(help="A planned study.")],
    wait: Annotated[bool, typer.Option("--wait", help="Until every run has ended or is given up.")] = False,
    as_json: AsJson = False,
) -> None:
    """Account for every run of a study: dead jobs become failures, and what was used is summed up."""
    from slurm.status.accounting import summary
    from slurm.status.reconcile import settle
    from slurm.status.run_status import overview

    store = open_store(context)
    ids = store.plan(study).ids
    while True:
        found = overview(store, ids)
        settled = settle(store, found.stands)
        if not wait or not any(stand.is_alive for stand in found.stands):
            break
        print_note(tally([stand.state for stand in found.stands]))
        time.sleep(POLL_S)
    for line in found.sight.notes:
        print_note(line)
    states = ["failed" if stand.id in settled else stand.state for stand in found.stands]
    usage = summary(store, ids)
    if as_json:
        print_json({"states": dict(zip(ids, states, strict=True)), "usage": usage})
    else:
        print_line(f"{tally(states)} in {store.root}")
        for line in [*usage, f"The table: {format_command(store, 'table', study)}"]:
            print_line(line)
    raise typer.Exit(FINISHED_WITH_FAILURES if {"failed", "broken"} & set(states) else 0)


def _start(store: Store, choice: Choice, profile: Profile, *, dry_run: bool, retry_failed: bool) -> int:
    """Run or send what is open, as the profile says where; returns the exit code."""
    if profile.executor == "slurm":
        return _send(store, choice, profile, dry_run=dry_run, retry_failed=retry_failed)
    if dry_run:
        say_runs(store, choice.ids)
        return 0
    if profile.executor == "local":
        return run_here(
            store,
            choice,
            jobs=profile.jobs,
            threads=profile.threads,
            workers=profile.workers,
            retry_failed=retry_failed,
        )
    return _debug(store, choice.specs, threads=profile.threads, workers=profile.workers)


def _debug(store: Store, specs: Sequence[RunSpec], *, threads: int, workers: int) -> int:
    """One run after the other in this process."""
    from benchmark.execution.runner import execute
    from benchmark.utils.lock import holding

    for engine in {spec.engine for spec in specs}:
        require_engine(engine)
    states = []
    for spec in specs:
        with holding(store.folder(spec.id)):
            states.append(execute(spec, store=store, threads=threads, workers=workers).state)
        print_line(f"{states[-1]:<8} {spec.id}")
    return FINISHED_WITH_FAILURES if "failed" in states else 0


def _send(store: Store, choice: Choice, profile: SlurmProfile, *, dry_run: bool, retry_failed: bool) -> int:
    from slurm import submit as sending

    grid = sending.Grid(
        choice.ids, choice.specs_of, store=store, study=choice.name, profile=profile, retry=retry_failed
    )
    if dry_run:
        for array, script in sending.preview(grid):
            print_line(f"# {array.runs} runs in an array of {len(array.tasks)}\n{script}")
        return 0
    note_splits(choice.splits)
    receipt = sending.submit(grid)
    _say_receipt(store, choice, receipt, retry_failed=retry_failed)
    return 0 if receipt.before.sight.reachable else 1


def _say_receipt(store: Store, choice: Choice, receipt: Receipt, *, retry_failed: bool) -> None:
    states = [stand.state for stand in receipt.before.stands]
    for line in receipt.before.sight.notes:
        print_note(line)
    if receipt.adopted:
        print_note(
            f"{receipt.adopted} arrays of an earlier submission that had been interrupted were found in the queue"
        )
    print_line(f"{len(states)} runs: {tally(states)}")
    for one in receipt.sent:
        runs, tasks = sum(map(len, one.manifest.tasks)), len(one.manifest.tasks)
        job = one.sent.job if one.sent else "?"
        print_line(f"sent: job {job}, {one.manifest.name}, {runs} runs in an array of {tasks}")
    print_line(f"{receipt.runs} runs sent")
    if receipt.waiting:
        print_note(f"{receipt.waiting} runs wait for room in the queue: the same command sends them later")
    if "failed" in states and not retry_failed:
        print_note(f"{states.count('failed')} failed before, not sent again; to try again: --retry-failed")
    if choice.plan is not None:
        print_line(f"Where they stand: {format_command(store, 'status', choice.name, '--watch')}")


def _named(store: Store, names: Sequence[str]) -> list[str]:
    """Ids of the runs of a planned study, or of runs that are named."""
    if _is_plan(store, names):
        return list(store.plan(names[0]).ids)
    return [store.find(name) for name in names]


def _is_plan(store: Store, names: Sequence[str]) -> bool:
    return len(names) == 1 and names[0] in store.plan_names()


def _refuse_shared(alive: Sequence[Stand], wanted: set[str]) -> None:
    """Runs that share a job with others cannot be cancelled alone."""
    for stand in alive:
        if stand.place is None:
            continue
        others = set(stand.place.submission.manifest.tasks[stand.place.task]) - wanted
        if others:
            raise ValueError(
                f"{stand.id} shares its job with {', '.join(sorted(others)[:3])}: cancel them too, or none of them"
            )
