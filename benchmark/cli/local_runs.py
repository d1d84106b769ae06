"""Runs on this machine with their progress, and what is printed about those that did not finish."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from benchmark.cli.console import format_command, format_count, format_states, print_note
from benchmark.cli.progress import show_progress
from benchmark.core.run_state import RunState
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.optional_packages import require_engine

if TYPE_CHECKING:
    from benchmark.core.run_spec import RunSpec
    from benchmark.execution.local_pool import RunOutcome
    from benchmark.execution.worker_process import WorkerResources
    from benchmark.store.store import Store

SHOWN_FAILURES = 5


def start_runs(
    store: Store,
    specs: Sequence[RunSpec],
    labels: Mapping[str, str],
    *,
    jobs: int | None,
    device: str | None,
    resources: WorkerResources,
) -> list[RunState]:
    """Run specs, print their progress, and return the states in which they ended.

    Args:
        store: Store that holds the runs.
        specs: Specs of the runs, at least one.
        labels: Names to show for the runs, by id.
        jobs: Number of runs at a time; None for one per GPU or, on the CPU, as many as there are cores for.
        device: Devices of the runs, see `benchmark.execution.devices.choose_devices`.
        resources: Resources of each run; its devices are chosen here.

    Raises:
        typer.Exit: The command was interrupted.
        ValueError: A device or an engine is not available.
    """
    from benchmark.execution.devices import choose_devices, count_jobs, describe_devices, list_gpus
    from benchmark.execution.local_pool import run_all
    from benchmark.utils.processes import count_cores

    for engine in {spec.engine for spec in specs}:
        require_engine(engine)  # before the start, since otherwise every run would record this failure
    devices = choose_devices(device, list_gpus())
    jobs = min(jobs or count_jobs(devices, cores=count_cores(), threads=resources.threads), len(specs))
    where = describe_devices(devices)
    print_note(f"{len(specs)} to run, {jobs} at a time{f' on {where}' if where else ''}; records in {store.root}")
    _print_refused(store, specs)
    resources = replace(resources, devices=devices)
    try:
        with show_progress(labels) as observe:
            outcomes = run_all(specs, store=store, jobs=jobs, resources=resources, observe=observe)
    except KeyboardInterrupt:
        _print_interrupted(store, specs)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    _print_unfinished(store, outcomes)
    return [outcome.state for outcome in outcomes.values()]


def leave_out_unreadable(store: Store, run_ids: Sequence[str]) -> list[str]:
    """Return the runs whose files can be read, and print why others are left out; those may hold a result."""
    snapshots = {run_id: store.run(run_id).read_snapshot() for run_id in run_ids}
    unreadable = [snapshot.problem for snapshot in snapshots.values() if snapshot.is_unreadable]
    for problem in unreadable[:SHOWN_FAILURES]:
        print_note(f"skipped: {problem}")
    if len(unreadable) > SHOWN_FAILURES:
        print_note(f"and {len(unreadable) - SHOWN_FAILURES} more that cannot be read")
    return [run_id for run_id, snapshot in snapshots.items() if not snapshot.is_unreadable]


def choose_exit_code(states: Sequence[RunState], *, num_failed_before: int = 0) -> int:
    """Return the exit code of a command from the states in which its runs ended."""
    if num_failed_before or any(state.is_failed for state in states):
        return ExitCode.FINISHED_WITH_FAILURES
    if RunState.INTERRUPTED in states:
        return ExitCode.INTERRUPTED
    return ExitCode.BUSY if RunState.RUNNING in states else ExitCode.SUCCESS


def _print_unfinished(store: Store, outcomes: Mapping[str, RunOutcome]) -> None:
    failed = [run_id for run_id, outcome in outcomes.items() if outcome.state is RunState.FAILED]
    for run_id in failed[:SHOWN_FAILURES]:
        print_note(f"log of the failed run: {format_command(store, 'logs', run_id)}")
    refused = [run_id for run_id in failed if store.run(run_id).has_refused_checkpoint()]
    resumable = [run_id for run_id in failed if run_id not in refused]
    if resumable:
        command = _format_retry(store, resumable)
        print_note(f"to run it again, from its last checkpoint if it has one: {command}")
    if refused:
        command = _format_retry(store, refused)
        print_note(f"to train it again from the start, with its refused checkpoint kept in attempts/: {command}")
    busy = sum(outcome.state is RunState.RUNNING for outcome in outcomes.values())
    if busy:
        subject = f"{format_count(busy, 'run')} without a result yet, running in another process"
        print_note(f"{subject}: wait with {format_command(store, 'status', '--watch')}")
    interrupted = [run_id for run_id, outcome in outcomes.items() if outcome.state is RunState.INTERRUPTED]
    if interrupted:
        subject = f"{format_count(len(interrupted), 'run')} interrupted"
        print_note(f"{subject}: run the same command again to resume; a time limit starts again")


def _format_retry(store: Store, run_ids: Sequence[str]) -> str:
    return format_command(store, "retry", *(run_ids if len(run_ids) <= SHOWN_FAILURES else ["NAME"]))


def _print_refused(store: Store, specs: Sequence[RunSpec]) -> None:
    """Print which of the runs to start had their checkpoint refused and therefore train from the start."""
    from benchmark.store.attempts import get_attempt_folder

    refused = [run for spec in specs if (run := store.run(spec.id)).has_refused_checkpoint()]
    if len(refused) == 1:
        folder = get_attempt_folder(refused[0].path, len(refused[0].read_attempts()))
        print_note(f"training starts again, and the refused checkpoint moves to {folder / 'checkpoint.pt'}")
    elif refused:
        print_note(f"training of {len(refused)} runs starts again, and refused checkpoints move into their attempts/")


def _print_interrupted(store: Store, specs: Sequence[RunSpec]) -> None:
    states = [store.run(spec.id).read_state() for spec in specs]
    print_note(f"interrupted: {format_states(states)}")
    print_note(f"Records and checkpoints are kept in {store.root}{os.sep}; run the same command again to resume.")
