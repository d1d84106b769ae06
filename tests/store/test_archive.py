"""Archives of runs: complete, reproducible, never half written."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from benchmark.store import archive
from benchmark.store.archive import write_archive
from benchmark.store.store import Store
from tests.report.world import two_rows

ARCHIVES = ("runs.tar.gz", "runs.tgz", "runs.zip")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "runs")
    store.write_plan(two_rows(store))
    return store


def unpack(file: Path) -> Store:
    if file.suffix == ".zip":
        zipfile.ZipFile(file).extractall(file.parent)
    else:
        with tarfile.open(file) as opened:
            opened.extractall(file.parent, filter="data")
    return Store(file.parent / file.name.partition(".")[0])


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_unpacked_archive_is_a_store_with_the_same_results(store: Store, tmp_path: Path, name: str) -> None:
    out, plan = tmp_path / "out" / name, store.read_plan("demo")
    write_archive(store, plan.ids, out, plans=["demo"])
    other = unpack(out)
    assert other.read_plan("demo") == plan
    for run_id in plan.ids:
        assert other.run(run_id).read_record() == store.run(run_id).read_record()
        assert other.run(run_id).read_counts().digest() == store.run(run_id).read_counts().digest()


@pytest.mark.parametrize("name", ARCHIVES)
def test_bytes_depend_on_the_content_only(store: Store, tmp_path: Path, name: str) -> None:
    ids = store.list_ids()
    write_archive(store, ids, tmp_path / "one" / name)
    for path in store.root.rglob("*"):
        os.utime(path, (1, 2_000_000_000))
    write_archive(store, ids[::-1], tmp_path / "two" / name)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_checkpoints_are_added_on_request_and_locks_never(store: Store, tmp_path: Path) -> None:
    run = store.run(store.list_ids()[0])
    run.checkpoint_path.write_bytes(b"weights")
    run.lock_path.write_text("{}")
    without = write_archive(store, [run.id], tmp_path / "a.zip")
    with_them = write_archive(store, [run.id], tmp_path / "b.zip", with_checkpoints=True)
    assert [name.rpartition("/")[2] for name in without] == ["counts.npz", "record.json"]
    assert [name.rpartition("/")[2] for name in with_them] == ["checkpoint.pt", "counts.npz", "record.json"]


def test_an_unknown_suffix_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.tar\.gz, \.tgz, \.zip"):
        write_archive(store, store.list_ids(), tmp_path / "a.rar")


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_full_disk_leaves_no_half_archive(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for writer in (archive._ZipWriter, archive._TarWriter):
        monkeypatch.setattr(writer, "add", fail)
    with pytest.raises(OSError, match="No space left on device; no part of it was left behind"):
        write_archive(store, store.list_ids(), tmp_path / "out" / name)
    assert list((tmp_path / "out").iterdir()) == []
