"""Results replaced by those of reruns: no moment at which a result is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.store.reruns import list_replaced, open_rerun_store, replace_result
from benchmark.store.store import Store
from benchmark.utils.lock import BusyError, hold_lock
from tests.report.world import even, save, spec_of

OLD, NEW = even(80, 60), even(80, 70)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store with one result."""
    store = Store(tmp_path)
    save(store, spec_of(), OLD)
    return store


def test_the_new_result_takes_the_place_and_the_old_one_is_kept(store: Store) -> None:
    run_id = save(open_rerun_store(store), spec_of(), NEW)
    aside = replace_result(store, run_id)
    assert store.run(run_id).read_counts().digest() == NEW.digest()
    assert aside is not None and (aside / "record.json").is_file() and not (aside / "lock").exists()
    assert store.list_ids() == [run_id] and open_rerun_store(store).list_ids() == []


@pytest.mark.parametrize("counts", [None, Failure(kind="ValueError", message="no")])
def test_without_a_new_result_the_old_one_stays(store: Store, counts: Failure | None) -> None:
    if counts is not None:
        save(open_rerun_store(store), spec_of(), counts)
    with pytest.raises(ValueError, match="the old result stays"):
        replace_result(store, spec_of().id)
    assert store.run(spec_of().id).read_counts().digest() == OLD.digest()


def test_a_run_at_work_is_not_replaced(store: Store) -> None:
    run_id = save(open_rerun_store(store), spec_of(), NEW)
    with hold_lock(store.run(run_id).path), pytest.raises(BusyError):
        replace_result(store, run_id)
    assert store.run(run_id).read_counts().digest() == OLD.digest()


def test_a_crash_between_the_two_moves_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = save(open_rerun_store(store), spec_of(), NEW)
    moves: list[object] = []

    def rename(source: Path, target: Path) -> None:
        if moves:
            raise KeyboardInterrupt
        moves.append(source)
        Path(source).replace(target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "rename", rename)
        replace_result(store, run_id)
    assert store.run(run_id).read_state() is RunState.MISSING
    assert replace_result(store, run_id) is None
    assert store.run(run_id).read_counts().digest() == NEW.digest()


def test_reruns_on_another_disk_leave_the_old_result_in_its_place(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = save(open_rerun_store(store), spec_of(), NEW)

    def rename(source: Path, target: Path) -> None:
        if "reruns" in Path(source).parts:
            raise OSError(18, "Invalid cross-device link")
        Path(source).replace(target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OSError, match="cross-device"):
        replace_result(store, run_id)
    assert store.run(run_id).read_counts().digest() == OLD.digest()


def test_replaced_results_are_listed_by_their_run_and_other_files_are_not(store: Store) -> None:
    run_id, folder = spec_of().id, store.root / "replaced"
    names = [f"{run_id}.20260101T000000.123456", f"{run_id}.2", f"{run_id}.old", "note.1"]
    for name in names:
        (folder / name).mkdir(parents=True)
    assert list_replaced(store) == {run_id: [folder / names[1], folder / names[0]]}
