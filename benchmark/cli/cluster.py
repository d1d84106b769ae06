"""`submit`, `retry`, `cancel`, `collect`: runs on a cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.completion import complete_plans
from benchmark.cli.console import (
    format_command,
    format_count,
    format_states,
    open_store,
    print_json,
    print_line,
    print_note,
)
from benchmark.cli.housekeeping import retry_here
from benchmark.cli.local_runs import leave_out_unreadable
from benchmark.cli.methods import print_contracts
from benchmark.cli.options import (
    AsJson,
    Cluster,
    Device,
    DryRun,
    Jobs,
    NoCost,
    RetryCluster,
    RetryFailed,
    RunNames,
    Threads,
    TimeLimit,
    Track,
    Workers,
    read_time_limit,
)
from benchmark.cli.receipt import print_receipt
from benchmark.cli.run_options import RunOptions, with_run_options
from benchmark.cli.runs import label_selection, print_runs, print_split_notes, run_here
from benchmark.core.run_state import RunState
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.optional_packages import require_engine

if TYPE_CHECKING:
    from benchmark.execution.worker_process import WorkerResources
    from benchmark.planning.selection import Selection
    from benchmark.store.row_labels import RowLabel
    from benchmark.store.store import Store
    from slurm.cancel import Cancellation
    from slurm.requests.profile import Profile, SlurmProfile
    from slurm.status.run_status import RunStatus

POLL_S = 30.0


@with_run_options
def submit(
    context: typer.Context,
    options: RunOptions,
    cluster: Cluster,
    *,
    track: Track = "",
    no_cost: NoCost = False,
    dry_run: DryRun = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Submit unfinished runs to a cluster and return at once."""
    from benchmark.planning.selection import select_runs
    from slurm.requests.profile import load_profile, switch_off_cost

    profile = switch_off_cost(load_profile(cluster)) if no_cost else load_profile(cluster)
    store = open_store(context)
    _check_store(store, profile)
    selection = select_runs(options.make_request(), store=store, keep=not dry_run, notify=print_note)
    raise typer.Exit(_start(store, selection, profile, dry_run=dry_run, retry_failed=retry_failed))


def retry(
    context: typer.Context,
    names: RunNames,
    *,
    cluster: RetryCluster = None,
    jobs: Jobs = None,
    threads: Threads = 1,
    workers: Workers = 0,
    device: Device = None,
    time_limit: TimeLimit = None,
    track: Track = "",
    dry_run: DryRun = False,
) -> None:
    """Run failed runs again, on this machine or a cluster. All of a study or method, or those of the named runs."""
    from benchmark.execution.worker_process import WorkerResources
    from benchmark.planning.selection import select_specs
    from benchmark.store.exact_names import read_spec
    from slurm.requests.profile import load_profile
    from slurm.status.run_status import query_status

    store = open_store(context)
    if cluster is None:
        resources = WorkerResources(threads, workers, time_limit_s=read_time_limit(time_limit))
        raise typer.Exit(retry_here(store, names, jobs=jobs, device=device, resources=resources, dry_run=dry_run))
    profile = load_profile(cluster)
    found = [run.id for run in query_status(store, _find_ids(store, names)).runs if run.state.is_failed]
    failed = leave_out_unreadable(store, found)
    if not failed:
        print_line("no failed runs that can be read" if found else "no failed runs")
        raise typer.Exit(ExitCode.ERROR if found else ExitCode.SUCCESS)
    _check_store(store, profile)
    study = names[0] if _is_plan(store, names) else ""  # by name, as a profile may have settings for the study
    selection = select_specs([read_spec(store.run(run_id)) for run_id in failed], name=study)
    raise typer.Exit(_start(store, selection, profile, dry_run=dry_run, retry_failed=True))


def cancel(
    context: typer.Context,
    names: RunNames,
    dry_run: DryRun = False,
) -> None:
    """Cancel the jobs of a planned study or of runs. Checkpoints are kept; `submit` resumes from them."""
    from slurm.cancel import Cancellation, cancel_tasks, select_tasks
    from slurm.status.run_status import query_status

    store = open_store(context)
    ids = set(_find_ids(store, names))
    status = query_status(store, sorted(ids))
    in_jobs = [run for run in status.runs if run.state.is_active and run.task is not None and not run.is_ending]
    _refuse_shared_jobs(in_jobs, ids)
    ending = [run.id for run in status.runs if run.is_ending]
    if ending:
        print_note(f"{format_count(len(ending), 'run')} ending already, nothing to cancel")
    outside = ids - {run.id for run in in_jobs} - set(ending)
    num_local = sum(store.run(run_id).read_state() is RunState.RUNNING for run_id in outside)
    if num_local:
        print_note(f"{format_count(num_local, 'run')} without a job: interrupt the command that started them")
    for line in status.queue.notes:
        print_note(line)
    if dry_run:
        shown, unknown = select_tasks(in_jobs)
        for line in [*(task.label for task in shown), *(f"{task.label}: not shown by SLURM" for task in unknown)]:
            print_line(line)
        return
    result = cancel_tasks(in_jobs, default=status.queue.default) if in_jobs else Cancellation()
    raise typer.Exit(_report_cancellation(result))


def _report_cancellation(result: Cancellation) -> int:
    """Print what was canceled and what was not, and return the exit code."""
    for line in result.errors:
        print_note(line)
    if result.surviving:
        print_note(f"still in the queue: {', '.join(task.label for task in result.surviving)}")
    num_unsent = sum(len(task.run_ids) for task in result.unknown if task.target is None)
    if num_unsent:
        whose = format_count(num_unsent, "run")
        print_note(f"not canceled: the submission of {whose} was cut short; the next submit looks for the job")
    jobs = ", ".join(task.label for task in result.unknown if task.target is not None)
    if jobs:
        print_note(f"not canceled, as SLURM does not show these jobs under their names: {jobs}; try again in a minute")
    num_runs = sum(len(task.run_ids) for task in result.canceled)
    print_line(f"{format_count(num_runs, 'run')} in {format_count(len(result.canceled), 'job')} canceled")
    return ExitCode.SUCCESS if result.is_complete else ExitCode.ERROR


def collect(
    context: typer.Context,
    study: Annotated[str, typer.Argument(help="Planned study.", autocompletion=complete_plans)],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all runs have finished.")] = False,
    as_json: AsJson = False,
) -> None:
    """Account for every run of a study. Records the failures of dead jobs and sums up the resources used."""
    from benchmark.store.row_labels import label_plan
    from slurm.status.accounting import summarize_usage
    from slurm.status.grid_queue import query_grid_history
    from slurm.status.node_faults import describe_failed_nodes
    from slurm.status.reconcile import reconcile
    from slurm.status.run_status import query_status

    store = open_store(context)
    plan = store.read_plan(study)
    ids = plan.ids
    while True:
        status = query_status(store, ids)
        failed = reconcile(store, status.runs)
        states = [RunState.FAILED if run.id in failed else run.state for run in status.runs]
        if not wait or not any(state.is_active for state in states):
            break
        print_note(format_states(states))
        time.sleep(POLL_S)
    for line in status.queue.notes:
        print_note(line)
    usage, labels = summarize_usage(store, ids), label_plan(plan)
    if as_json:
        names = {run_id: str(label) for run_id, label in labels.items()}
        print_json({"states": dict(zip(ids, states, strict=True)), "labels": names, "usage": usage})
    else:
        print_line(f"{format_states(states)} in {store.root}")
        _print_unfinished(dict(zip(ids, states, strict=True)), labels)
        nodes = describe_failed_nodes(store, status.runs, history=query_grid_history(store, ids).starts)
        has_result = RunState.DONE in states
        table = [f"Print the table: {format_command(store, 'table', study)}"] if has_result else []
        for line in [*nodes, *usage, *table]:
            print_line(line)
    raise typer.Exit(ExitCode.FINISHED_WITH_FAILURES if any(state.is_failed for state in states) else ExitCode.SUCCESS)


def _print_unfinished(states: Mapping[str, RunState], labels: Mapping[str, RowLabel]) -> None:
    """Print the rows and seeds of the runs that are not done, by state."""
    from benchmark.store.row_labels import summarize_labels

    for state in dict.fromkeys(states.values()):
        if state is not RunState.DONE:
            for line in summarize_labels(labels[run_id] for run_id, one in states.items() if one is state):
                print_line(f"  {state}: {line}")


def _check_store(store: Store, profile: Profile) -> None:
    """Check, before anything is written, that SLURM can write into the store.

    Raises:
        ValueError: SLURM would misread the name of the store.
    """
    if profile.executor == "slurm":
        from slurm.requests.sbatch import check_folder

        check_folder(store.root.absolute())


def _start(store: Store, selection: Selection, profile: Profile, *, dry_run: bool, retry_failed: bool) -> int:
    """Run or submit the unfinished runs with the profile's executor, and return the exit code."""
    from benchmark.execution.worker_process import WorkerResources

    if profile.executor == "slurm":
        return _submit(store, selection, profile, dry_run=dry_run, retry_failed=retry_failed)
    if dry_run:
        print_runs(store, selection)
        return ExitCode.SUCCESS
    resources = WorkerResources(profile.threads, profile.workers, measures_cost=profile.measures_cost)
    if profile.executor == "local":
        return run_here(store, selection, jobs=profile.jobs, resources=resources, retry_failed=retry_failed)
    return _run_in_process(store, selection, resources=resources)


def _run_in_process(store: Store, selection: Selection, *, resources: WorkerResources) -> int:
    """Run the selection one after the other in this process, and return the exit code."""
    from benchmark.execution.runner import execute
    from benchmark.utils.lock import hold_lock

    labels = label_selection(store, selection)
    readable = leave_out_unreadable(store, selection.ids)
    specs = selection.make_specs(readable)
    for engine in {spec.engine for spec in specs}:
        require_engine(engine)
    states = []
    for spec in specs:
        with hold_lock(store.run(spec.id).path):
            record = execute(
                spec,
                store=store,
                threads=resources.threads,
                workers=resources.workers,
                measures_cost=resources.measures_cost,
            )
            states.append(record.state)
        print_line(f"{states[-1]:<8} {labels[spec.id]}")
    has_failures = RunState.FAILED in states or len(readable) < len(selection.ids)
    return ExitCode.FINISHED_WITH_FAILURES if has_failures else ExitCode.SUCCESS


def _submit(store: Store, selection: Selection, profile: SlurmProfile, *, dry_run: bool, retry_failed: bool) -> int:
    """Submit the unfinished runs as job arrays or, in a dry run, print the batch scripts; return the exit code."""
    from benchmark.store.row_labels import summarize_labels
    from slurm import submit as submission
    from slurm.grid import Grid

    grid = Grid(
        selection.ids, selection.make_specs, store=store, study=selection.name, profile=profile, retry=retry_failed
    )
    if dry_run:
        labels, arrays = label_selection(store, selection), submission.preview(grid)
        if not arrays:
            advice = "" if retry_failed else "; --retry-failed adds failed ones"
            print_note(f"nothing to submit: no run is missing, interrupted or lost{advice}")
        for array, script in arrays:
            print_line(f"# {format_count(array.num_runs, 'run')} in an array of {len(array.tasks)}")
            for line in summarize_labels(labels[run_id] for ids in array.tasks for run_id in ids):
                print_line(f"#   {line}")
            print_line(script)
        return ExitCode.SUCCESS
    print_split_notes(selection.splits)
    receipt = submission.submit(grid)
    print_contracts(store, selection)
    print_receipt(store, selection, receipt, retry_failed=retry_failed)
    return ExitCode.SUCCESS if receipt.before.queue.reachable else ExitCode.ERROR


def _find_ids(store: Store, names: Sequence[str]) -> list[str]:
    """Return the IDs of the runs of planned studies and methods, and of the named runs."""
    from benchmark.store.named_runs import find_named_runs

    return list(find_named_runs(store, names).ids)


def _is_plan(store: Store, names: Sequence[str]) -> bool:
    from benchmark.store.named_plans import select_plans

    return len(names) == 1 and bool(select_plans(store, names[0]))


def _refuse_shared_jobs(runs: Sequence[RunStatus], ids: set[str]) -> None:
    """Raise ValueError if a run shares its job with a run that is not to be canceled."""
    for run in runs:
        others = sorted(set(run.task.run_ids) - ids) if run.task is not None else []
        if others:
            raise ValueError(
                f"{run.id} shares its job with {', '.join(others[:3])}: cancel all runs of a job, or none of them"
            )
