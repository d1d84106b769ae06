"""`status`: the state of every run. Read-only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.completion import complete_plans
from benchmark.cli.console import (
    format_command,
    format_losses,
    format_states,
    make_console,
    open_given_store,
    open_store,
    print_columns,
    print_json,
    print_line,
    print_note,
)
from benchmark.cli.options import AsJson, NoIndex
from benchmark.core.run_state import RunState
from benchmark.utils.durations import format_duration

if TYPE_CHECKING:
    from benchmark.core.plan import Plan
    from benchmark.store.row_labels import RowLabel
    from benchmark.store.store import Store
    from slurm.status.run_status import GridStatus, RunStatus

MIN_INTERVAL_S = 10.0
"""Shortest interval between two queries of the scheduler."""
HEADS = ("state", "progress", "attempts", "node", "row", "seed", "id", "last message")


def status(
    context: typer.Context,
    *,
    name: Annotated[
        str | None,
        typer.Argument(
            help="Show only the runs of this study, as last planned, or of this method, or this run.",
            autocompletion=complete_plans,
        ),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Show only failed runs, with their reasons.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until all runs have finished.")] = False,
    every_s: Annotated[float, typer.Option("--every", min=MIN_INTERVAL_S, help="Seconds between refreshes.")] = 30.0,
    no_index: NoIndex = False,
    as_json: AsJson = False,
) -> None:
    """Show the state of every run, on this machine and on the cluster. Changes no run."""
    from benchmark.store.index.run_index import open_run_index
    from benchmark.store.named_runs import find_named_runs
    from benchmark.store.row_labels import label_runs
    from slurm.status.run_status import query_status

    store = open_given_store(context) if name is None else open_store(context)
    while True:
        plans, problems = store.read_plans()
        ids = _list_ids(store, plans, problems) if name is None else find_named_runs(store, [name]).ids
        grid = query_status(store, ids, index=None if no_index else open_run_index(store))
        labels = label_runs(store, [run.id for run in grid.runs], study=name or "", plans=plans)
        shown = [run for run in grid.runs if run.state.is_failed or not failed]
        entries = [_describe_run(store, run) | _describe_label(labels[run.id]) for run in shown]
        if as_json:
            print_json(entries)
        elif failed:
            _print_failed(store, grid, entries, clear=watch)
        else:
            _print_status(store, grid, entries, clear=watch)
        if not watch or not any(run.state.is_active for run in grid.runs):
            return
        time.sleep(every_s)


def _print_status(store: Store, grid: GridStatus, entries: Sequence[dict[str, Any]], *, clear: bool) -> None:
    from slurm.status.node_faults import describe_failed_nodes
    from slurm.status.run_status import list_advice

    _clear(clear)
    if entries:
        print_columns(HEADS, [_format_row(entry) for entry in entries])
    print_line(f"{format_states([entry['state'] for entry in entries])} in {store.root}")
    num_stale = sum(entry["stale"] for entry in entries)
    if num_stale:
        print_line(f"{num_stale} stale, marked with *: {_summarize_stale(entries)}")
    for entry in entries:
        if entry["state"] is RunState.BROKEN:
            print_line(f"broken: {entry['message']}")
    for line in [*list_advice(grid.runs), *describe_failed_nodes(store, grid.runs)]:
        print_line(line)
    for line in grid.queue.notes:
        print_note(line)
    if any(run.state in (RunState.INTERRUPTED, RunState.LOST) and run.task for run in grid.runs):
        print_note(f"to resume interrupted and lost runs: {format_command(store, 'submit', 'STUDY')}")


def _print_failed(store: Store, grid: GridStatus, entries: Sequence[dict[str, Any]], *, clear: bool) -> None:
    """Print the failed runs, each with its whole reason on a line of its own."""
    from benchmark.store.row_labels import shorten_id

    _clear(clear)
    for entry in entries:
        seed = "" if entry["seed"] is None else f" seed {entry['seed']}"
        print_line(f"{entry['state']}  {entry['row']}{seed}  {shorten_id(entry['id'])}")
        print_line(f"  {entry['message']}")
    print_line(f"{format_states([run.state for run in grid.runs])} in {store.root}")
    for line in grid.queue.notes:
        print_note(line)
    if entries:
        print_note(f"the log of a run: {format_command(store, 'logs', shorten_id(entries[0]['id']))}")


def _clear(is_wanted: bool) -> None:
    """Clear the terminal, if there is one."""
    if is_wanted and make_console().is_terminal:
        make_console().clear()


def _list_ids(store: Store, plans: Mapping[str, Plan], problems: Sequence[str]) -> list[str]:
    """Return the IDs of all runs that have a folder or are planned, and print which plans cannot be read."""
    for problem in problems:
        print_note(f"warning: {problem}")
    return list(dict.fromkeys([*store.list_ids(), *(run_id for plan in plans.values() for run_id in plan.ids)]))


def _describe_run(store: Store, run: RunStatus) -> dict[str, Any]:
    """Return the status of a run as JSON; one whose files cannot be read is broken."""
    from benchmark.utils.atomic_files import describe_error

    entry: dict[str, Any] = {"id": run.id, "state": run.state, "stage": "", "done": 0, "total": 0}
    entry |= {"seconds_left": None, "attempts": 0, "losses": {}, "message": run.reason, "stale": False, "changes": []}
    entry |= {"job": "", "node": ""}
    if run.task is not None and run.task.target is not None:
        entry["job"] = "_".join(map(str, run.task.target))
    try:
        return entry | (_describe_record(store, run) if run.state.is_final else _describe_progress(store, run))
    except (OSError, ValueError) as error:
        return entry | {"state": RunState.BROKEN, "message": describe_error(error)}


def _describe_progress(store: Store, run: RunStatus) -> dict[str, Any]:
    """Return the progress of a run that has no record."""
    from benchmark.store.progress import estimate_seconds_left, measure_silence_s

    folder = store.run(run.id)
    attempts, beat = folder.read_attempts(), folder.read_heartbeat() or {}
    progress: dict[str, Any] = {key: beat[key] for key in ("stage", "done", "total", "losses") if key in beat}
    if run.state is not RunState.RUNNING:
        return progress | {"attempts": len(attempts)}
    owner_job = attempts[-1].owner.job if attempts else None
    node = run.job.node if run.job is not None else owner_job.node if owner_job is not None else ""
    progress |= {"attempts": len(attempts), "node": node, "seconds_left": estimate_seconds_left(beat)}
    silent_s = measure_silence_s(beat)
    if silent_s is None:
        return progress
    silence = f"no progress for {format_duration(silent_s)}"
    return progress | {"seconds_left": None, "message": "; ".join(filter(None, (run.reason, silence)))}


def _describe_record(store: Store, run: RunStatus) -> dict[str, Any]:
    """Return what the record of a finished run says, or why it cannot be read."""
    from benchmark.store.staleness import find_changes, find_changes_of
    from slurm.status.reconcile import explain_failure

    if run.summary is not None:
        summary = run.summary
        changes = find_changes_of(summary.used, summary.counts_digest, store.run(run.id))
        return {"attempts": summary.attempts, "stale": bool(changes), "changes": list(changes)}
    record = run.record
    failure = explain_failure(store, run)  # of a job that ended since; `collect` writes its record
    if record is None or failure is not None:
        return {"message": failure.summary if failure is not None else run.reason}
    message = record.failure.summary if record.failure else ""
    changes = find_changes(record, store.run(run.id))
    return {"attempts": record.attempts, "message": message, "stale": bool(changes), "changes": list(changes)}


def _describe_label(label: RowLabel) -> dict[str, Any]:
    return {"row": label.row, "seed": label.seed, "study": label.study}


def _summarize_stale(entries: Sequence[dict[str, Any]]) -> str:
    """Return the changes that make runs stale, the most frequent first."""
    from benchmark.store.staleness import summarize_changes

    counts = Counter(change for entry in entries for change in entry["changes"])
    return summarize_changes([change for change, _ in counts.most_common()])


def _format_row(entry: dict[str, Any]) -> list[str]:
    progress = f"{entry['stage']} {entry['done']}/{entry['total']}" if entry["total"] else str(entry["stage"])
    if entry["seconds_left"] is not None:
        progress += f", {format_duration(entry['seconds_left'])} left"
    state = entry["state"] + ("*" if entry["stale"] else "")
    texts = [entry["message"] if entry["state"] is not RunState.BROKEN else "", format_losses(entry["losses"])]
    from benchmark.store.row_labels import shorten_id

    seed = "" if entry["seed"] is None else str(entry["seed"])
    name = [entry["row"], seed, shorten_id(entry["id"])]
    return [state, progress, str(entry["attempts"] or ""), entry["node"], *name, "; ".join(filter(None, texts))]
