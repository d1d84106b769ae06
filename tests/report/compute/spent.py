"""Attempts at runs whose starts and ends are chosen, as if a machine had spent this time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmark.core.run_record import Failure, RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.store.attempts import Attempt, get_attempt_folder
from benchmark.store.store import Store
from benchmark.utils.atomic_files import format_json, write_new
from benchmark.utils.lock import Owner
from tests.report.world import COST, even, save

START = datetime(2030, 1, 1, tzinfo=UTC)
CODE = {"benchmark/engine/base.py": "0" * 16}


def at(minute: float) -> str:
    """Return a time in minutes after the start of everything."""
    return (START + timedelta(minutes=minute)).isoformat(timespec="seconds")


def begin(store: Store, spec: RunSpec, number: int, minute: float, *, host: str = "node1") -> None:
    """Begin an attempt."""
    owner = Owner(pid=1, host=host, born="", job=None)
    attempt = Attempt(number=number, started=at(minute), owner=owner)
    store.run(spec.id).write_spec(spec)
    write_new(get_attempt_folder(store.run(spec.id).path, number) / "attempt.json", format_json(attempt))


def finish(store: Store, spec: RunSpec, number: int, minutes: tuple[float, float], **changes: Any) -> str:
    """Save the result of an attempt that trained for all of its minutes but one."""
    start, end = minutes
    cost = COST.model_copy(update={"train_seconds": (end - start - 1) * 60})
    times = {"attempts": number, "started": at(start), "finished": at(end), "code": CODE, "cost": cost}
    return save(store, spec, even(80, 60), **times | changes)


def fail(store: Store, spec: RunSpec, number: int, minutes: tuple[float, float], **changes: Any) -> None:
    """Save the failure of an attempt."""
    start, end = minutes
    times = {"attempts": number, "started": at(start), "finished": at(end), "code": CODE}
    save(store, spec, Failure(kind="OSError", message="disk"), **times | changes)


def put_failure_aside(store: Store, spec: RunSpec, number: int) -> None:
    """Move the record of a failure as the beginning of the next attempt does."""
    run = store.run(spec.id)
    assert RunRecord.model_validate_json(run.record_path.read_bytes()).state is RunState.FAILED
    run.record_path.rename(get_attempt_folder(run.path, number) / "record.json")


def beat(store: Store, spec: RunSpec, minute: float) -> None:
    """Write the last heartbeat."""
    time = (START + timedelta(minutes=minute)).timestamp()
    store.run(spec.id).heartbeat_path.write_text(json.dumps({"time": time}))
