"""What holds for every preparation: originals stay, interruptions cost nothing, nothing foreign is taken for ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.prepare import run
from benchmark.data.prepare.run import PREPARATIONS, prepare
from benchmark.utils.lock import BusyError, holding
from tests.data.prepare.originals import digests, pixels, write_ade, write_coco, write_context, write_detail

Raw = Callable[[str], Path]
SIZES = {"ADE_train_00000001": (6, 9), "ADE_val_00000001": (7, 7)}


@pytest.fixture
def raw(tmp_path: Path) -> Raw:
    """Originals of a preparation."""
    write: dict[str, Callable[[Path], Path]] = {
        "pascal_context": write_context,
        "pascal_context_detail": lambda root: write_detail(root, {"2008_000002": [(2, "06")]}, size=(3, 2)),
        "coco_stuff164k": write_coco,
        "ade20k_847": lambda root: write_ade(root, SIZES, [2978, 0]),
    }
    return lambda what: write[what](tmp_path / "raw")


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if not path.is_symlink()}


@pytest.mark.parametrize("what", PREPARATIONS)
def test_originals_stay_as_they_are(what: str, raw: Raw, tmp_path: Path) -> None:
    root = raw(what)
    before, when = digests(root), times(root)
    outcome = prepare(what, root=root, out=tmp_path / "out")
    assert outcome.made > 0 and not outcome.broken
    assert digests(root) == before and times(root) == when


@pytest.mark.parametrize("what", PREPARATIONS)
def test_a_second_run_makes_nothing_again(what: str, raw: Raw, tmp_path: Path) -> None:
    root, out = raw(what), tmp_path / "out"
    first = prepare(what, root=root, out=out)
    before = times(out)
    second = prepare(what, root=root, out=out)
    assert (second.made, second.kept) == (0, first.made) and times(out) == before


def test_an_interrupted_run_goes_on_and_ends_as_one_that_was_not(raw: Raw, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    root = raw("pascal_context")
    prepare("pascal_context", root=root, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        prepare("pascal_context", root=root, out=tmp_path / "twice", on_progress=stop)
    assert not (tmp_path / "twice" / "ImageSets").exists()
    again = prepare("pascal_context", root=root, out=tmp_path / "twice")
    assert (again.made, again.kept) == (1, 2)
    assert digests(tmp_path / "twice") == digests(tmp_path / "whole")


def test_drafts_and_files_cut_short_are_not_taken_for_results(raw: Raw, tmp_path: Path) -> None:
    root, out = raw("coco_stuff164k"), tmp_path / "out"
    prepare("coco_stuff164k", root=root, out=out)
    whole = digests(out)
    kept, cut, *_ = sorted(out.glob("annotations/*/*.png"))
    (cut.parent / f".draft-0123abcd-{kept.name}").write_bytes(kept.read_bytes())
    cut.write_bytes(cut.read_bytes()[:-1])
    assert prepare("coco_stuff164k", root=root, out=out).made == 1
    assert digests(out) == whole


def test_progress_is_told_after_every_file(raw: Raw, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    prepare(
        "coco_stuff164k",
        root=raw("coco_stuff164k"),
        out=tmp_path / "out",
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_other_processes_make_the_same(jobs: int, raw: Raw, tmp_path: Path) -> None:
    root = raw("ade20k_847")
    prepare("ade20k_847", root=root, out=tmp_path / "here")
    assert prepare("ade20k_847", root=root, out=tmp_path / "there", jobs=jobs).made == 4
    assert digests(tmp_path / "there") == digests(tmp_path / "here")


def test_the_folder_of_the_originals_is_refused(raw: Raw, tmp_path: Path) -> None:
    root = raw("coco_stuff164k")
    (tmp_path / "link").symlink_to(root)
    for out in (root, tmp_path / "link", tmp_path / "raw" / ".." / "raw"):
        with pytest.raises(ValueError, match="holds the originals; give another folder"):
            prepare("coco_stuff164k", root=root, out=out)


def test_results_that_would_lie_upon_originals_are_refused(raw: Raw, tmp_path: Path) -> None:
    root = raw("pascal_context")
    base = root / "VOC2010"
    (base / "prepared.json").write_text(json.dumps({"what": "pascal_context", "layout": "mmseg", "version": 1}) + "\n")
    before = digests(root)
    with pytest.raises(ValueError, match="is an original and would be written to"):
        prepare("pascal_context", root=root, out=base)
    assert digests(root) == before


def test_a_folder_with_something_else_is_left_alone(raw: Raw, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match="is not ours; give a new or empty folder"):
        prepare("coco_stuff164k", root=raw("coco_stuff164k"), out=tmp_path / "out")
    assert list(digests(tmp_path / "out")) == ["thesis.tex"]


def test_masks_of_two_kinds_are_not_mixed(raw: Raw, tmp_path: Path) -> None:
    prepare("pascal_context", root=raw("pascal_context"), out=tmp_path / "out")
    with pytest.raises(ValueError, match=r'holds \{"what": "pascal_context", .* give a new or empty folder'):
        prepare("pascal_context_detail", root=raw("pascal_context_detail"), out=tmp_path / "out")


def test_two_runs_do_not_write_to_one_folder(raw: Raw, tmp_path: Path) -> None:
    root = raw("coco_stuff164k")
    prepare("coco_stuff164k", root=root, out=tmp_path / "out")
    with holding(tmp_path / "out" / ".prepare"), pytest.raises(BusyError, match="is being written to"):
        prepare("coco_stuff164k", root=root, out=tmp_path / "out")


def test_pictures_are_links_and_a_folder_of_copies_stays(raw: Raw, tmp_path: Path) -> None:
    root, out = raw("coco_stuff164k"), tmp_path / "out"
    prepare("coco_stuff164k", root=root, out=out)
    link = out / "images" / "val2017"
    assert link.is_symlink() and link.resolve() == (root / "val2017").resolve()
    link.unlink()
    link.mkdir()
    prepare("coco_stuff164k", root=root, out=out)
    assert link.is_dir() and not link.is_symlink()


def test_a_link_that_leads_nowhere_is_made_again(raw: Raw, tmp_path: Path) -> None:
    root, out = raw("coco_stuff164k"), tmp_path / "out"
    prepare("coco_stuff164k", root=root, out=out)
    moved = root.rename(tmp_path / "moved")
    prepare("coco_stuff164k", root=moved, out=out)
    assert (out / "images" / "val2017").resolve() == (moved / "val2017").resolve()


@pytest.mark.parametrize(
    ("what", "layout", "words"),
    [
        ("coco_stuff", None, "no preparation 'coco_stuff'; did you mean 'coco_stuff164k'"),
        ("coco_stuff164k", "mmsegg", "no layout of coco_stuff164k 'mmsegg'; did you mean 'mmseg'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(what: str, layout: str | None, words: str, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=words):
        prepare(what, root=tmp_path, out=tmp_path / "out", layout=layout)


def test_a_full_disk_ends_it_with_one_clear_error(raw: Raw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Image.Image, path: Path) -> None:
        raise OSError(28, "No space left on device")

    root = raw("coco_stuff164k")
    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match=r"cannot write .*_labelTrainIds.png: No space left on device"):
        run.prepare("coco_stuff164k", root=root, out=tmp_path / "out")
    assert list(digests(tmp_path / "out")) == ["prepared.json"]


def test_masks_are_as_large_as_their_originals(raw: Raw, tmp_path: Path) -> None:
    prepare("coco_stuff164k", root=raw("coco_stuff164k"), out=tmp_path / "out")
    assert {pixels(path).shape for path in (tmp_path / "out").rglob("*_labelTrainIds.png")} == {(4, 6)}
    assert all(pixels(path).dtype == np.uint8 for path in (tmp_path / "out").rglob("*_labelTrainIds.png"))
