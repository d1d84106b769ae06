"""What a store can do without: failed and stale runs, drafts, plans never begun, replaced results, the index.

Listing changes nothing. A run is deleted under its lock and only if its state is still the listed one: its folder is
renamed first, so that a crash leaves no half run but a draft, which the next cleaning lists.

Only what this program has written is deleted, by its name, and nothing behind a link below the folder of the store.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from benchmark.core.run_state import RunState
from benchmark.store.disk_usage import measure_size
from benchmark.store.index.index_file import FOLDER, is_index_file
from benchmark.store.reruns import REPLACED, is_replaced, open_rerun_store
from benchmark.store.staleness import find_changes
from benchmark.store.store import RUN_ID, Store
from benchmark.utils.drafts import PREFIX, has_live_writer, is_abandoned, is_draft
from benchmark.utils.lock import BusyError, find_owner, hold_lock

DELETED = ".deleted-"
_DELETED_NAME = re.compile(rf"{re.escape(DELETED)}{RUN_ID}")


class Kind(StrEnum):
    """Kind of what can be deleted."""

    FAILED = "failed"
    """Failed runs, and failed reruns of runs."""
    STALE = "stale"
    """Finished runs of older code or inputs, except those that a plan names; none if a plan cannot be read."""
    DRAFTS = "drafts"
    """Drafts that killed processes left behind."""
    PLANS = "plans"
    """Plans none of whose runs was ever started."""
    REPLACED = "replaced"
    """Results that `rerun` replaced."""
    INDEX = "index"
    """What was read from a large store, which is read again when it is needed."""


@dataclass(frozen=True)
class Leftover:
    """A file or folder that can be deleted.

    Attributes:
        kind: Kind of the leftover.
        path: Path of the file or folder.
        size: Number of bytes.
    """

    kind: Kind
    path: Path
    size: int


@dataclass(frozen=True)
class ForeignPath:
    """A file, folder or link where leftovers are, which is left alone.

    Attributes:
        path: Path of the file, folder or link.
        reason: Why it is left alone.
    """

    path: Path
    reason: str


def list_leftovers(
    store: Store, kinds: Sequence[Kind], states: Mapping[str, RunState]
) -> tuple[list[Leftover], list[ForeignPath]]:
    """List what can be deleted, and what lies among it and is left alone.

    Args:
        store: Store to clean.
        kinds: Wanted kinds.
        states: State of every run that has a folder or is planned, as processes and schedulers report it.
    """
    leftovers, foreign = [], {}
    found = [(kind, path) for kind in kinds for path in _FINDERS[kind](store, states)]
    for kind, path in found:
        obstacle = _find_obstacle(store, kind, path)
        if obstacle is None:
            leftovers.append(Leftover(kind, path, measure_size(path)))
        else:
            foreign[obstacle.path] = obstacle
    return leftovers, list(foreign.values())


def list_stale_in_plans(store: Store, states: Mapping[str, RunState]) -> list[str]:
    """Return the IDs of stale runs that are kept because a plan names them, or may do so and cannot be read."""
    is_kept = _make_plan_test(store)
    return [run_id for run_id, state in states.items() if is_kept(run_id) and _is_stale(store, run_id, state)]


def delete(leftover: Leftover) -> bool:
    """Delete a leftover; return False if it is in use by now.

    Raises:
        OSError: A file cannot be deleted.
    """
    if leftover.kind not in (Kind.FAILED, Kind.STALE):
        _remove(leftover.path)
        return True
    folder = Store(leftover.path.parent).run(leftover.path.name)
    wanted = RunState.FAILED if leftover.kind is Kind.FAILED else RunState.DONE
    try:
        with hold_lock(folder.path):
            if folder.read_state() is not wanted:
                return False
            doomed = folder.path.with_name(f"{DELETED}{folder.path.name}")
            os.rename(folder.path, doomed)
    except BusyError:
        return False
    _remove(doomed)
    return True


def _find_failed(store: Store, states: Mapping[str, RunState]) -> Iterator[Path]:
    yield from (store.run(run_id).path for run_id, state in states.items() if state is RunState.FAILED)
    reruns = open_rerun_store(store)
    yield from (reruns.run(run_id).path for run_id in reruns.list_ids() if _has_failed(reruns, run_id))


def _has_failed(store: Store, run_id: str) -> bool:
    return find_owner(store.run(run_id).path) is None and store.run(run_id).read_state() is RunState.FAILED


def _find_stale(store: Store, states: Mapping[str, RunState]) -> Iterator[Path]:
    is_kept = _make_plan_test(store)
    for run_id, state in states.items():
        if not is_kept(run_id) and _is_stale(store, run_id, state):
            yield store.run(run_id).path


def _is_stale(store: Store, run_id: str, state: RunState) -> bool:
    run = store.run(run_id)
    record = run.read_snapshot().record if state is RunState.DONE else None
    return record is not None and bool(find_changes(record, run))


def _find_drafts(store: Store, states: Mapping[str, RunState]) -> Iterator[Path]:
    """Yield drafts outside of active runs, and folders whose deletion was cut short."""
    if not store.root.is_dir():
        return
    active = {run_id for run_id, state in states.items() if state.is_active}
    yield from sorted(store.root.rglob(f"{DELETED}*"))
    for path in sorted(store.root.rglob(f"{PREFIX}*")):
        owner = path.relative_to(store.root).parts[0]
        is_over = owner not in active and not has_live_writer(path) and (owner in states or is_abandoned(path))
        if is_over or not is_draft(path):
            yield path


def _find_plans(store: Store, states: Mapping[str, RunState]) -> Iterator[Path]:
    """Yield plans of runs that were never started, with their memos."""
    for name, plan in store.read_plans()[0].items():
        if all(states.get(run_id, RunState.MISSING) is RunState.MISSING for run_id in plan.ids):
            paths = (store.root / "plans" / f"{name}{suffix}" for suffix in (".json", ".memo"))
            yield from (path for path in paths if path.exists())


def _find_replaced(store: Store, _states: Mapping[str, RunState]) -> Iterator[Path]:
    yield from sorted((store.root / REPLACED).glob("*"))


def _find_index(store: Store, _states: Mapping[str, RunState]) -> Iterator[Path]:
    yield from sorted((store.root / FOLDER).glob("*"))


_FINDERS: dict[Kind, Callable[[Store, Mapping[str, RunState]], Iterator[Path]]] = {
    Kind.FAILED: _find_failed,
    Kind.STALE: _find_stale,
    Kind.DRAFTS: _find_drafts,
    Kind.PLANS: _find_plans,
    Kind.REPLACED: _find_replaced,
    Kind.INDEX: _find_index,
}


def _is_draft_or_deleted(path: Path) -> bool:
    return is_draft(path) or (_DELETED_NAME.fullmatch(path.name) is not None and path.is_dir())


_NAME_TESTS: dict[Kind, Callable[[Path], bool]] = {
    Kind.DRAFTS: _is_draft_or_deleted,
    Kind.REPLACED: is_replaced,
    Kind.INDEX: lambda path: is_index_file(path) or is_draft(path),
}
"""Tests of names in folders in which other programs may write, too; the other kinds are found by their content."""


def _find_obstacle(store: Store, kind: Kind, path: Path) -> ForeignPath | None:
    """Return what keeps a path from being deleted: a link on the way to it, or a name that is not ours."""
    inner = path.relative_to(store.root)
    for part in (*reversed(inner.parents[:-1]), inner):
        if (store.root / part).is_symlink():
            return ForeignPath(store.root / part, f"a link to {os.readlink(store.root / part)}")
    if kind in _NAME_TESTS and not _NAME_TESTS[kind](path):
        return ForeignPath(path, "not written by chimera-bench")
    return None


def _make_plan_test(store: Store) -> Callable[[str], bool]:
    """Return a function that says whether a plan names a run; it may if any plan cannot be read."""
    plans, problems = store.read_plans()
    planned = {run_id for plan in plans.values() for run_id in plan.ids}
    return lambda run_id: bool(problems) or run_id in planned


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
