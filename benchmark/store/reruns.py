"""Repetitions of finished runs: the old result stays in its place until the new one is complete.

    ROOT/reruns/<id>/              the new attempt, a run like any other; it resumes after an interruption
    ROOT/replaced/<id>.<time>/     a result that was replaced

A new result takes its place by two renames. If a crash separates them, both results exist, and the next rerun of the
run makes the second one.
"""

from __future__ import annotations

import os
import re
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from benchmark.core.run_state import RunState
from benchmark.store.store import RUN_ID, Store
from benchmark.utils.lock import hold_lock

RERUNS = "reruns"
REPLACED = "replaced"
_REPLACED_NAME = re.compile(rf"(?P<run_id>{RUN_ID})\.(\d{{8}}T\d{{6}}(\.\d+)?|\d+)")


def open_rerun_store(store: Store) -> Store:
    """Return the store of the reruns of a store's runs."""
    return Store(store.root / RERUNS, options=store.options)


def is_replaced(path: Path) -> bool:
    """Return whether a path is a folder with the name of a result that `rerun` or `merge` has moved aside."""
    return _REPLACED_NAME.fullmatch(path.name) is not None and path.is_dir()


def list_replaced(store: Store) -> dict[str, list[Path]]:
    """Return the folders of replaced results by the IDs of their runs, ascending; one look at thousands of them."""
    replaced: dict[str, list[Path]] = {}
    for path in sorted((store.root / REPLACED).glob("*")):
        if name := _REPLACED_NAME.fullmatch(path.name):
            replaced.setdefault(name["run_id"], []).append(path)
    return replaced


def replace_result(store: Store, run_id: str) -> Path | None:
    """Put the finished rerun of a run into the place of the run.

    Args:
        store: Store that holds the run.
        run_id: Id of a run whose rerun is done.

    Returns:
        Folder that the old result was moved to; None if there is no old result, because a crash came in between.

    Raises:
        ValueError: The rerun is not done.
        BusyError: A process works on the run.
        OSError: A folder cannot be moved; both results are kept.
    """
    old, new = store.run(run_id), open_rerun_store(store).run(run_id)
    state = new.read_state()
    if state is not RunState.DONE:
        raise ValueError(f"the rerun of {run_id} is {state}: the old result stays")
    aside = None
    with hold_lock(old.path) if old.path.exists() else nullcontext():
        if old.path.exists():
            aside = store.root / REPLACED / f"{run_id}.{datetime.now(UTC).strftime('%Y%m%dT%H%M%S.%f')}"
            aside.parent.mkdir(exist_ok=True)
            os.rename(old.path, aside)
        try:
            os.rename(new.path, old.path)
        except OSError:  # as from another file system, if the folder of the reruns is a link
            if aside is not None:
                os.rename(aside, old.path)
            raise
    if aside is not None:
        (aside / "lock").unlink(missing_ok=True)
    return aside
