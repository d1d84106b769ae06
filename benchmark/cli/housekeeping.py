"""`rerun`, `archive`, and `retry` on this machine: repeat and pack runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import format_command, format_count, open_store, print_line, print_note
from benchmark.cli.local_runs import choose_exit_code, leave_out_unreadable, start_runs
from benchmark.cli.options import (
    Device,
    DryRun,
    Jobs,
    NoCost,
    RunNames,
    Threads,
    TimeLimit,
    Track,
    Workers,
    read_time_limit,
)
from benchmark.cli.out_files import Overwrite, make_out_file
from benchmark.core.run_state import RunState
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.core.run_spec import RunSpec
    from benchmark.execution.worker_process import WorkerResources
    from benchmark.store.row_labels import RowLabel
    from benchmark.store.store import Store


def rerun(
    context: typer.Context,
    names: RunNames,
    *,
    stale: Annotated[bool, typer.Option("--stale", help="Only runs of older code or inputs.")] = False,
    jobs: Jobs = None,
    threads: Threads = 1,
    workers: Workers = 0,
    device: Device = None,
    time_limit: TimeLimit = None,
    track: Track = "",
    no_cost: NoCost = False,
    dry_run: DryRun = False,
) -> None:
    """Repeat finished runs on this machine. The old result stays until the new one is done, and is kept aside."""
    from benchmark.execution.worker_process import WorkerResources
    from benchmark.store.named_runs import find_named_runs
    from benchmark.store.row_labels import label_runs

    store, limit_s = open_store(context), read_time_limit(time_limit)
    named = find_named_runs(store, names).ids
    readable = leave_out_unreadable(store, named)
    num_unreadable = len(named) - len(readable)
    ids = _choose_finished(store, readable, only_stale=stale)
    labels = label_runs(store, ids)
    if dry_run or not ids:
        open_ids = _list_open(store, ids)
        kept = set(open_ids) - {spec.id for spec in _choose_repeatable(store, open_ids, labels)}
        for run_id in ids:
            if run_id not in kept:
                print_line(f"{labels[run_id]}  {run_id}")
        print_line(f"{format_count(len(ids) - len(kept), 'run')} to repeat")
        raise typer.Exit(choose_exit_code((), num_failed_before=num_unreadable))
    resources = WorkerResources(threads, workers, measures_cost=not no_cost, time_limit_s=limit_s)
    code = _rerun(store, ids, labels, jobs=jobs, device=device, resources=resources)
    raise typer.Exit(ExitCode.FINISHED_WITH_FAILURES if num_unreadable else code)


def _choose_finished(store: Store, ids: Sequence[str], *, only_stale: bool) -> list[str]:
    """Return the runs that can be repeated, and print how many cannot."""
    from benchmark.store.reruns import open_rerun_store
    from benchmark.store.staleness import find_changes

    reruns = open_rerun_store(store)
    chosen, unfinished = [], []
    for run_id in ids:
        snapshot = store.run(run_id).read_snapshot()
        if snapshot.state is RunState.MISSING and reruns.run(run_id).read_state() is RunState.DONE:
            chosen.append(run_id)  # a crash came between the two moves of its folders
        elif snapshot.state is not RunState.DONE or snapshot.record is None:
            unfinished.append(run_id)
        elif not only_stale or find_changes(snapshot.record, store.run(run_id)):
            chosen.append(run_id)
    if unfinished:
        print_note(f"{format_count(len(unfinished), 'run')} without a result, skipped: `run` and `retry` are for those")
    return chosen


def _rerun(
    store: Store,
    ids: Sequence[str],
    labels: Mapping[str, RowLabel],
    *,
    jobs: int | None,
    device: str | None,
    resources: WorkerResources,
) -> int:
    """Repeat finished runs, replace their results, and return the exit code."""
    from benchmark.store.reruns import open_rerun_store

    reruns = open_rerun_store(store)
    open_ids = _list_open(store, ids)
    specs = _choose_repeatable(store, open_ids, labels)
    states = []
    try:
        if specs:
            names = {run_id: str(label) for run_id, label in labels.items()}
            states = start_runs(reruns, specs, names, jobs=jobs, device=device, resources=resources)
    finally:
        for run_id in ids:
            if reruns.run(run_id).read_state() is RunState.DONE:
                print_line(f"{labels[run_id]}: {_replace(store, run_id)}")
    kept = sum(state is not RunState.DONE for state in states)
    if kept:
        print_note(f"{format_count(kept, 'old result')} kept, as there is no new one: the same command tries again")
    return choose_exit_code(states, num_failed_before=len(open_ids) - len(specs))


def _list_open(store: Store, ids: Sequence[str]) -> list[str]:
    """Return the runs whose rerun is not done yet."""
    from benchmark.store.reruns import open_rerun_store

    reruns = open_rerun_store(store)
    return [run_id for run_id in ids if reruns.run(run_id).read_state() is not RunState.DONE]


def _choose_repeatable(store: Store, ids: Sequence[str], labels: Mapping[str, RowLabel]) -> list[RunSpec]:
    """Return the specs that still give the runs that they gave, and print why others do not."""
    from benchmark.execution.verify import NotVerifiableError, check_repeatable
    from benchmark.store.exact_names import read_spec

    chosen = []
    for spec in (read_spec(store.run(run_id)) for run_id in ids):
        try:
            check_repeatable(spec)
        except NotVerifiableError as error:
            reason = str(error).removeprefix(f"{spec.id} cannot be verified: ")
            print_note(f"{labels[spec.id]}: old result kept, as the run cannot be repeated: {reason}")
        else:
            chosen.append(spec)
    return chosen


def _replace(store: Store, run_id: str) -> str:
    """Replace a result by that of its rerun, and say in a line how the two differ."""
    from benchmark.evaluation.scores import score
    from benchmark.store.reruns import open_rerun_store, replace_result

    old, new = (each.run(run_id).read_snapshot().record for each in (store, open_rerun_store(store)))
    before = store.run(run_id).read_counts(old) if old is not None else None
    aside = replace_result(store, run_id)
    after = store.run(run_id).read_counts(new)
    if before is None or aside is None:
        return "new result in its place"
    if before.digest() == after.digest():
        return f"same counts as before; the old result is in {aside}"
    hious = [score(counts, "d2-main").hiou for counts in (before, after)]
    return f"hIoU {hious[0]:.2f} before, {hious[1]:.2f} now (d2-main); the old result is in {aside}"


def archive(
    context: typer.Context,
    names: RunNames,
    out: Annotated[Path, make_out_file("-o", text="Archive: .tar.gz or .zip.")],
    *,
    checkpoints: Annotated[bool, typer.Option("--checkpoints", help="Add checkpoints, which are large.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write runs to one file. Records, counts, specs and losses, with the plans of the named studies."""
    from benchmark.store.archive import write_archive
    from benchmark.store.disk_usage import format_size, measure_size
    from benchmark.store.named_runs import find_named_runs

    store = open_store(context)
    named = find_named_runs(store, names)
    ended = [run_id for run_id in named.ids if store.run(run_id).read_state() in (RunState.DONE, RunState.FAILED)]
    if not ended:
        raise ValueError(
            f"none of the {format_count(len(named.ids), 'run')} has a record, so there is nothing to archive"
        )
    if len(ended) < len(named.ids):
        print_note(f"{format_count(len(named.ids) - len(ended), 'run')} without a record left out")
    entries = write_archive(store, ended, out, plans=named.plans, with_checkpoints=checkpoints)
    contents = f"{format_count(len(ended), 'run')}, {format_count(len(entries), 'file')}"
    print_line(f"{contents} in {out}, {format_size(measure_size(out))}")
    folder = entries[0].partition("/")[0]
    print_line(
        f"After unpacking: chimera-bench --runs {folder} " + (f"table {named.plans[0]}" if named.plans else "status")
    )


def retry_here(
    store: Store,
    names: Sequence[str],
    *,
    jobs: int | None,
    device: str | None,
    resources: WorkerResources,
    dry_run: bool,
) -> int:
    """Run the failed ones of named runs again on this machine, if they failed here; return the exit code."""
    from benchmark.store.exact_names import read_spec
    from benchmark.store.named_runs import find_named_runs
    from benchmark.store.row_labels import label_runs
    from slurm.requests.manifest import locate_runs
    from slurm.status.run_status import query_status

    ids = find_named_runs(store, names).ids
    found = [run.id for run in query_status(store, ids).runs if run.state.is_failed]
    failed = leave_out_unreadable(store, found)
    tasks = locate_runs(store, notify=lambda line: print_note(f"warning: {line}"))
    on_cluster = [run_id for run_id in failed if run_id in tasks]
    here = [run_id for run_id in failed if run_id not in tasks]
    if on_cluster:
        profile = tasks[on_cluster[0]].submission.manifest.profile
        command = format_command(store, "retry", *names, "--cluster", profile)
        print_note(f"{format_count(len(on_cluster), 'failed run')} of a cluster left out; to submit again: {command}")
    if not here:
        has_others = bool(on_cluster) or len(failed) < len(found)
        print_line("no failed runs to run again on this machine" if has_others else "no failed runs")
        return ExitCode.ERROR if has_others else ExitCode.SUCCESS
    labels = {run_id: str(label) for run_id, label in label_runs(store, here).items()}
    subject = f"{format_count(len(here), 'failed run')} to run again on this machine"
    print_note(f"{subject}, from the last checkpoint of each if it has one")
    if dry_run:
        for run_id in here:
            print_line(f"{labels[run_id]}  {run_id}")
        return ExitCode.SUCCESS
    specs = [read_spec(store.run(run_id)) for run_id in here]
    return choose_exit_code(start_runs(store, specs, labels, jobs=jobs, device=device, resources=resources))
