"""Properties of every preparation: originals stay, interruptions are resumed, foreign files are never reused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.prepare import run
from benchmark.data.prepare.run import PREPARATIONS, prepare
from benchmark.utils.lock import BusyError, hold_lock
from tests.data.prepare.originals import digest_files, read_pixels, write_ade, write_coco, write_context, write_detail

Raw = Callable[[str], Path]
SIZES = {"ADE_train_00000001": (6, 9), "ADE_val_00000001": (7, 7)}


@pytest.fixture
def raw(tmp_path: Path) -> Raw:
    """Return a function that writes the originals of a preparation."""
    write: dict[str, Callable[[Path], Path]] = {
        "pascal_context": write_context,
        "pascal_context_detail": lambda root: write_detail(root, {"2008_000002": [(2, "06")]}, size=(3, 2)),
        "coco_stuff164k": write_coco,
        "ade20k_847": lambda root: write_ade(root, SIZES, [2978, 0]),
    }
    return lambda name: write[name](tmp_path / "raw")


def read_times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if not path.is_symlink()}


@pytest.mark.parametrize("name", PREPARATIONS)
def test_originals_are_not_changed(name: str, raw: Raw, tmp_path: Path) -> None:
    root = raw(name)
    before, when = digest_files(root), read_times(root)
    outcome = prepare(name, root=root, out=tmp_path / "out")
    assert outcome.made > 0 and not outcome.broken
    assert digest_files(root) == before and read_times(root) == when


@pytest.mark.parametrize("name", PREPARATIONS)
def test_a_second_run_converts_nothing_again(name: str, raw: Raw, tmp_path: Path) -> None:
    root, out = raw(name), tmp_path / "out"
    first = prepare(name, root=root, out=out)
    before = read_times(out)
    second = prepare(name, root=root, out=out)
    assert (second.made, second.kept) == (0, first.made) and read_times(out) == before


def test_a_resumed_run_gives_the_same_files_as_an_uninterrupted_one(raw: Raw, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    root = raw("pascal_context")
    prepare("pascal_context", root=root, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        prepare("pascal_context", root=root, out=tmp_path / "twice", on_progress=stop)
    assert not (tmp_path / "twice" / "ImageSets").exists()
    resumed = prepare("pascal_context", root=root, out=tmp_path / "twice")
    assert (resumed.made, resumed.kept) == (1, 2)
    assert digest_files(tmp_path / "twice") == digest_files(tmp_path / "whole")


def test_drafts_and_truncated_files_are_not_mistaken_for_results(raw: Raw, tmp_path: Path) -> None:
    root, out = raw("coco_stuff164k"), tmp_path / "out"
    prepare("coco_stuff164k", root=root, out=out)
    whole = digest_files(out)
    kept, cut, *_ = sorted(out.glob("annotations/*/*.png"))
    (cut.parent / f".draft-0123abcd-{kept.name}").write_bytes(kept.read_bytes())
    cut.write_bytes(cut.read_bytes()[:-1])
    assert prepare("coco_stuff164k", root=root, out=out).made == 1
    assert digest_files(out) == whole


def test_progress_is_reported_after_every_file(raw: Raw, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    prepare(
        "coco_stuff164k",
        root=raw("coco_stuff164k"),
        out=tmp_path / "out",
        on_progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_worker_processes_give_the_same_files(jobs: int, raw: Raw, tmp_path: Path) -> None:
    root = raw("ade20k_847")
    prepare("ade20k_847", root=root, out=tmp_path / "here")
    assert prepare("ade20k_847", root=root, out=tmp_path / "there", jobs=jobs).made == 4
    assert digest_files(tmp_path / "there") == digest_files(tmp_path / "here")


def test_the_folder_of_the_originals_is_refused(raw: Raw, tmp_path: Path) -> None:
    root = raw("coco_stuff164k")
    (tmp_path / "link").symlink_to(root)
    for out in (root, tmp_path / "link", tmp_path / "raw" / ".." / "raw"):
        with pytest.raises(ValueError, match="holds the originals; give another folder"):
            prepare("coco_stuff164k", root=root, out=out)


def test_results_that_would_overwrite_originals_are_refused(raw: Raw, tmp_path: Path) -> None:
    root = raw("pascal_context")
    base = root / "VOC2010"
    (base / "prepared.json").write_text(json.dumps({"what": "pascal_context", "layout": "mmseg", "version": 1}) + "\n")
    before = digest_files(root)
    with pytest.raises(ValueError, match="is an original and would be overwritten"):
        prepare("pascal_context", root=root, out=base)
    assert digest_files(root) == before


def test_a_folder_with_other_files_is_left_alone(raw: Raw, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match=r"is no conversion .*; give a new or empty folder"):
        prepare("coco_stuff164k", root=raw("coco_stuff164k"), out=tmp_path / "out")
    assert list(digest_files(tmp_path / "out")) == ["thesis.tex"]


def test_two_conversions_are_not_mixed_in_one_folder(raw: Raw, tmp_path: Path) -> None:
    prepare("pascal_context", root=raw("pascal_context"), out=tmp_path / "out")
    with pytest.raises(ValueError, match=r'holds \{"what": "pascal_context", .* give a new or empty folder'):
        prepare("pascal_context_detail", root=raw("pascal_context_detail"), out=tmp_path / "out")


def test_two_processes_do_not_write_to_one_folder(raw: Raw, tmp_path: Path) -> None:
    root = raw("coco_stuff164k")
    prepare("coco_stuff164k", root=root, out=tmp_path / "out")
    with hold_lock(tmp_path / "out" / ".prepare"), pytest.raises(BusyError, match="is being written to"):
        prepare("coco_stuff164k", root=root, out=tmp_path / "out")


def test_image_folders_are_links_and_an_existing_folder_is_kept(raw: Raw, tmp_path: Path) -> None:
    root, out = raw("coco_stuff164k"), tmp_path / "out"
    prepare("coco_stuff164k", root=root, out=out)
    link = out / "images" / "val2017"
    assert link.is_symlink() and link.resolve() == (root / "val2017").resolve()
    link.unlink()
    link.mkdir()
    prepare("coco_stuff164k", root=root, out=out)
    assert link.is_dir() and not link.is_symlink()


def test_a_broken_link_is_replaced(raw: Raw, tmp_path: Path) -> None:
    root, out = raw("coco_stuff164k"), tmp_path / "out"
    prepare("coco_stuff164k", root=root, out=out)
    moved = root.rename(tmp_path / "moved")
    prepare("coco_stuff164k", root=moved, out=out)
    assert (out / "images" / "val2017").resolve() == (moved / "val2017").resolve()


@pytest.mark.parametrize(
    ("name", "layout", "message"),
    [
        ("coco_stuff", None, "no preparation 'coco_stuff'; did you mean 'coco_stuff164k'"),
        ("coco_stuff164k", "mmsegg", "no layout of coco_stuff164k 'mmsegg'; did you mean 'mmseg'"),
    ],
)
def test_unknown_names_are_answered_with_the_closest(
    name: str, layout: str | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(KeyError, match=message):
        prepare(name, root=tmp_path, out=tmp_path / "out", layout=layout)


def test_a_full_disk_is_a_clear_error(raw: Raw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Image.Image, path: Path) -> None:
        raise OSError(28, "No space left on device")

    root = raw("coco_stuff164k")
    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match=r"cannot write .*_labelTrainIds.png: No space left on device"):
        run.prepare("coco_stuff164k", root=root, out=tmp_path / "out")
    assert list(digest_files(tmp_path / "out")) == ["prepared.json"]


def test_masks_have_the_size_of_their_originals(raw: Raw, tmp_path: Path) -> None:
    prepare("coco_stuff164k", root=raw("coco_stuff164k"), out=tmp_path / "out")
    assert {read_pixels(path).shape for path in (tmp_path / "out").rglob("*_labelTrainIds.png")} == {(4, 6)}
    assert all(read_pixels(path).dtype == np.uint8 for path in (tmp_path / "out").rglob("*_labelTrainIds.png"))
