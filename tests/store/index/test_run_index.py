"""Finished runs are looked up in the index only while their files are those that were read."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.core.run_state import RunState
from benchmark.store.index import file_identity, index_file, run_index
from benchmark.store.index.run_index import RunIndex, open_run_index
from benchmark.store.store import Store
from tests.report.world import even, save, spec_of


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store of two finished runs, whose index is written although it is small and new."""
    monkeypatch.setattr(run_index, "MIN_RUNS", 1)
    monkeypatch.setattr(file_identity, "SETTLED_NS", 0)
    store = Store(tmp_path / "runs")
    for seed in (0, 1):
        save(store, spec_of(seed=seed), even(80, 60 + seed))
    return store


def read_all(store: Store) -> RunIndex:
    """Look up all runs in the index, save it and return it as the next process finds it."""
    index = open_run_index(store)
    for run_id in store.list_ids():
        index.read_snapshot(run_id)
    index.save()
    return open_run_index(store)


def path_of(store: Store) -> Path:
    (path,) = (store.root / "index").iterdir()
    return path


def test_a_finished_run_is_looked_up_without_its_record(store: Store) -> None:
    record = store.run(spec_of().id).read_record()
    snapshot = read_all(store).read_snapshot(spec_of().id)
    assert (snapshot.state, snapshot.record) == (RunState.DONE, None)
    assert (snapshot.summary.attempts, snapshot.summary.counts_digest) == (1, record.counts_digest)
    assert snapshot.summary.used.code == record.code


def restore_time(path: Path, content: bytes) -> None:
    """Write other bytes of the same number in place, and set the time of the change back."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


OLD, NEW = b'"attempts": 1', b'"attempts": 7'


@pytest.mark.parametrize(
    "change",
    [
        lambda run: restore_time(run.record_path, run.record_path.read_bytes().replace(OLD, NEW)),
        lambda run: run.record_path.write_bytes(run.record_path.read_bytes().replace(OLD, NEW)),
        lambda run: run.record_path.unlink(),
        lambda run: run.counts_path.unlink(),
        lambda run: run.counts_path.write_bytes(b"cut short"),
        lambda run: run.record_path.write_text("{}"),
    ],
)
def test_a_run_that_was_changed_by_hand_is_read_again(store: Store, change: Callable[..., object]) -> None:
    index = read_all(store)
    run = store.run(spec_of().id)
    change(run)
    assert index.read_snapshot(run.id) == run.read_snapshot()
    assert index.read_snapshot(spec_of(seed=1).id).summary is not None


@pytest.mark.parametrize("damage", [b"", b"x", b"[]", b"{}\n{}"])
def test_a_broken_index_is_ignored_and_replaced(store: Store, damage: bytes) -> None:
    read_all(store)
    path = path_of(store)
    path.write_bytes(path.read_bytes()[:100] if damage == b"x" else damage)
    assert open_run_index(store).entries == {}
    assert len(read_all(store).entries) == 2


def test_an_entry_that_was_changed_by_hand_is_ignored(store: Store) -> None:
    read_all(store)
    content = path_of(store).read_bytes()
    checksum, _, packed = content.partition(b"\n")
    text = zlib.decompress(packed).decode().replace(spec_of().id, spec_of(seed=7).id)
    path_of(store).write_bytes(checksum + b"\n" + zlib.compress(text.encode()))
    assert open_run_index(store).entries == {}


def test_an_index_of_another_version_is_ignored(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read_all(store)
    monkeypatch.setattr(index_file, "_make_seal", lambda: "another version")
    assert open_run_index(store).entries == {}


def test_an_index_of_another_user_is_ignored(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read_all(store)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    path_of(store).rename(store.root / "index" / f"runs-{user + 1}")
    assert open_run_index(store).entries == {}


def test_a_file_that_changed_a_moment_ago_is_not_indexed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_identity, "SETTLED_NS", 60 * 10**9)
    assert read_all(store).entries == {}


def test_a_store_that_cannot_be_written_works_without(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (store.root / "index").write_text("a file in its place")
    assert read_all(store).entries == {}


def test_of_two_writers_the_last_one_wins(store: Store) -> None:
    first, second = open_run_index(store), open_run_index(store)
    first.read_snapshot(spec_of().id)
    second.read_snapshot(spec_of(seed=1).id)
    first.save()
    second.save()
    assert list(open_run_index(store).entries) == [spec_of(seed=1).id]
    assert len(read_all(store).entries) == 2


def test_runs_that_are_gone_leave_the_index(store: Store) -> None:
    index = read_all(store)
    store.run(spec_of().id).path.rename(store.root / "elsewhere")
    save(store, spec_of(seed=2), even(80, 62))
    index.read_snapshot(spec_of(seed=2).id)
    index.save()
    assert sorted(open_run_index(store).entries) == sorted([spec_of(seed=1).id, spec_of(seed=2).id])


def test_a_small_store_has_no_index(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_index, "MIN_RUNS", 3)
    read_all(store)
    assert not (store.root / "index").exists()
