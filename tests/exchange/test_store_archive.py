"""Tests of archives of runs: they are merged like a store, and nothing in them can leave the folder."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from benchmark.exchange import store_archive
from benchmark.exchange.merge_decision import Fate
from benchmark.exchange.merge_store import merge
from benchmark.store.archive import write_archive
from benchmark.store.store import Store
from tests.report.world import even, save, spec_of


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_an_archive_is_merged_like_the_store_it_was_made_from(tmp_path: Path, suffix: str) -> None:
    theirs, ours = Store(tmp_path / "theirs"), Store(tmp_path / "ours")
    run_id = save(theirs, spec_of(), even(80, 60))
    archive = tmp_path / f"friend{suffix}"
    write_archive(theirs, [run_id], archive)
    assert [decision.fate for decision in merge(archive, ours).runs] == [Fate.NEW]
    assert ours.run(run_id).read_counts() == even(80, 60)
    assert sorted(path.name for path in ours.root.iterdir()) == [run_id]


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\..\\evil"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    archive = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(name, b"x")
    else:
        with tarfile.open(archive, "w") as file:
            info = tarfile.TarInfo(name)
            info.size = 1
            file.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(ValueError, match="leads out of it: nothing was merged"):
        merge(archive, Store(tmp_path / "deep" / "ours"))
    assert not list(tmp_path.rglob("*evil*"))


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        info = tarfile.TarInfo("runs/link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(info)
    with pytest.raises(ValueError, match="runs/link, which is no plain file"):
        merge(tmp_path / "a.tar", Store(tmp_path / "ours"))


def test_a_disk_that_is_too_small_for_an_archive_is_named_and_nothing_is_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = Store(tmp_path / "theirs"), Store(tmp_path / "ours")
    write_archive(theirs, [save(theirs, spec_of(), even(80, 60))], tmp_path / "a.zip")

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_archive, "_unpack_member", refuse)
    with pytest.raises(
        OSError, match=r"cannot unpack .*a\.zip in .*ours.*: No space left on device; nothing was merged"
    ):
        merge(tmp_path / "a.zip", ours)
    assert not ours.root.exists()


def test_an_archive_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    theirs = Store(tmp_path / "theirs")
    write_archive(theirs, [save(theirs, spec_of(), even(80, 60))], tmp_path / "a.tar.gz")
    content = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ValueError, match="is broken"):
        merge(tmp_path / "a.tar.gz", Store(tmp_path / "ours"))
    assert Store(tmp_path / "ours").list_ids() == []
