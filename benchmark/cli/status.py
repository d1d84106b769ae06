"""Where every run stands: `status`. Reads only, and never changes a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.console import (
    AsJson,
    format_command,
    format_duration,
    format_losses,
    make_console,
    open_store,
    print_columns,
    print_json,
    print_line,
    print_note,
)
from benchmark.cli.studies import tally

if TYPE_CHECKING:
    from benchmark.core.run_record import RunRecord
    from benchmark.store.store import Store
    from slurm.status.run_status import Overview, Stand

LEAST_POLL_S = 10.0
"""A scheduler is not asked more often, whatever is asked for."""


def status(
    context: typer.Context,
    study: Annotated[str | None, typer.Argument(help="Only the runs of this study, as last planned.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again until every run has ended.")] = False,
    every_s: Annotated[float, typer.Option("--every", min=LEAST_POLL_S, help="Seconds between two looks.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Where every run stands, here and on the cluster. Reads only, and never changes a run."""
    from slurm.status.run_status import overview

    store = open_store(context)
    while True:
        found = overview(store, _ids(store, study))
        entries = [_entry(store, stand) for stand in found.stands]
        if as_json:
            print_json(entries)
        else:
            _show(store, found, entries, clear=watch)
        if not watch or not any(stand.is_alive for stand in found.stands):
            return
        time.sleep(every_s)


def _show(store: Store, found: Overview, entries: Sequence[dict[str, Any]], *, clear: bool) -> None:
    if clear and make_console().is_terminal:
        make_console().clear()
    if entries:
        heads = ["state", "progress", "tries", "node", "run", "latest"]
        print_columns(heads, [_cells(entry) for entry in entries])
    print_line(f"{tally([entry['state'] for entry in entries])} in {store.root}")
    stale = sum(entry["stale"] for entry in entries)
    if stale:
        print_line(f"{stale} made by other code than the present (*)")
    for entry in entries:
        if entry["state"] == "broken":
            print_line(f"broken: {entry['message']}")
    for line in found.sight.notes:
        print_note(line)
    if any(stand.state in ("interrupted", "lost") and stand.place for stand in found.stands):
        print_note(
            f"interrupted and lost runs go on when they are sent again: {format_command(store, 'submit', 'STUDY')}"
        )


def _ids(store: Store, study: str | None) -> list[str]:
    """Runs with a folder and runs that are only planned."""
    if study is not None:
        return list(store.plan(study).ids)
    ids = dict.fromkeys(store.ids())
    for name in store.plan_names():
        try:
            ids |= dict.fromkeys(store.plan(name).ids)
        except ValueError as error:
            print_note(f"warning: {error}")
    return list(ids)


def _entry(store: Store, stand: Stand) -> dict[str, Any]:
    """What there is to say of a run, also as JSON."""
    entry: dict[str, Any] = {"id": stand.id, "state": stand.state, "stage": "", "done": 0, "total": 0}
    entry |= {"seconds_left": None, "attempts": 0, "losses": {}, "message": stand.reason, "stale": False}
    entry |= {"job": "", "node": ""}
    if stand.place is not None and stand.place.target is not None:
        entry["job"] = "_".join(map(str, stand.place.target))
    if stand.state in ("done", "failed", "broken"):
        return entry | _ended(store, stand)
    return entry | _underway(store, stand)


def _underway(store: Store, stand: Stand) -> dict[str, Any]:
    from benchmark.store.progress import seconds_left

    attempts = store.attempts(stand.id)
    job = attempts[-1].owner.job if attempts else None
    beat = store.last_heartbeat(stand.id) or {}
    found = {key: beat[key] for key in ("stage", "done", "total", "losses") if key in beat}
    is_running = stand.state == "running"
    node = stand.view.node if stand.view is not None else job.node if job is not None else ""
    return found | {
        "attempts": len(attempts),
        "node": node if is_running else "",
        "seconds_left": seconds_left(beat) if is_running else None,
    }


def _ended(store: Store, stand: Stand) -> dict[str, Any]:
    try:
        record = stand.record or store.record(stand.id)
    except ValueError as error:
        return {"message": str(error)}
    message = f"{record.failure.kind}: {record.failure.message}" if record.failure else ""
    return {"attempts": record.attempts, "message": message, "stale": is_stale(record)}


def is_stale(record: RunRecord) -> bool:
    """Whether a result was made by other code than the present. A failure has no result."""
    from benchmark.store.environment import code_digest

    return record.state == "done" and record.environment.code_digest != code_digest()


def _cells(entry: dict[str, Any]) -> list[str]:
    progress = f"{entry['stage']} {entry['done']}/{entry['total']}" if entry["total"] else str(entry["stage"])
    if entry["seconds_left"] is not None:
        progress += f", {format_duration(entry['seconds_left'])} left"
    state = entry["state"] + ("*" if entry["stale"] else "")
    said = [entry["message"] if entry["state"] != "broken" else "", format_losses(entry["losses"])]
    return [state, progress, str(entry["attempts"] or ""), entry["node"], entry["id"], "; ".join(filter(None, said))]
