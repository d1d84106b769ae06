"""Export of the toybox to files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.toybox import export as module
from benchmark.data.toybox.dataset import ToyBox
from benchmark.data.toybox.export import export_voc, make_voc_palette, name_scene

TOYBOX = ToyBox({"train": 2, "val": 1})


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))


def read_pixels(path: Path) -> NDArray[np.integer]:
    with Image.open(path) as image:
        return np.array(image)


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("**/*") if path.is_file()}


def test_exported_files_match_the_toybox(tmp_path: Path) -> None:
    export_voc(TOYBOX, ["train", "val"], tmp_path / "out")
    for subset, index in (("train", 0), ("train", 1), ("val", 0)):
        name, scene = f"{name_scene(subset, index)}.png", TOYBOX.scene(subset, index)
        assert np.array_equal(read_pixels(tmp_path / "out" / "JPEGImages" / name), scene.image)
        assert np.array_equal(read_pixels(tmp_path / "out" / "SegmentationClass" / name), scene.labels + 1)
        assert np.array_equal(read_pixels(tmp_path / "out" / "Depth" / name), scene.depth_mm)


def test_lists_captions_and_class_names_are_exported(tmp_path: Path) -> None:
    export_voc(TOYBOX, ["train"], tmp_path)
    assert (tmp_path / "ImageSets/Segmentation/train.txt").read_text().split() == ["train_000000", "train_000001"]
    lines = [json.loads(line) for line in (tmp_path / "captions_train.jsonl").read_text().splitlines()]
    assert [line["tags"] for line in lines] == [list(TOYBOX.scene("train", index).tags) for index in (0, 1)]
    assert lines[1]["caption"] == TOYBOX.caption("train", 1) and lines[1]["image"] == "train_000001"
    assert (tmp_path / "classes.txt").read_text().splitlines() == ["background", *TOYBOX.classes]


def test_the_metadata_contain_the_fingerprint(tmp_path: Path) -> None:
    metadata = json.loads(export_voc(TOYBOX, ["val"], tmp_path).read_text())
    assert metadata["fingerprint"] == TOYBOX.fingerprint() and metadata["mask_values"]["1"] == TOYBOX.classes[0]


def test_masks_have_the_palette_of_voc(tmp_path: Path) -> None:
    assert make_voc_palette()[[0, 1, 2, 15, 20, 255]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [192, 128, 128], [0, 64, 128], [224, 224, 192],
    ]  # fmt: skip
    export_voc(TOYBOX, ["val"], tmp_path)
    with Image.open(tmp_path / "SegmentationClass" / "val_000000.png") as mask:
        assert mask.mode == "P" and mask.getpalette() == make_voc_palette().ravel().tolist()


def test_the_same_call_completes_an_interrupted_export(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    export_voc(TOYBOX, ["train", "val"], tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        export_voc(TOYBOX, ["train", "val"], tmp_path / "twice", on_progress=stop)
    (tmp_path / "twice" / "Depth" / ".draft-0-x.png").touch()
    export_voc(TOYBOX, ["train", "val"], tmp_path / "twice")
    assert read_files(tmp_path / "twice") == read_files(tmp_path / "whole")


def test_existing_files_are_not_written_again(tmp_path: Path) -> None:
    export_voc(TOYBOX, ["val"], tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("**/*.*")}
    export_voc(TOYBOX, ["val"], tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("**/*.*")} == before


def test_progress_is_reported_after_every_image(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    export_voc(TOYBOX, ["train", "val"], tmp_path, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(FileExistsError, match=r"is no export .*; give a new or empty folder"):
        export_voc(TOYBOX, ["val"], tmp_path)
    assert read_files(tmp_path) == {"thesis.tex": b"mine"}


def test_an_export_of_another_toybox_is_left_alone(tmp_path: Path) -> None:
    export_voc(TOYBOX, ["val"], tmp_path)
    with pytest.raises(FileExistsError, match="another toybox version"):
        export_voc(ToyBox({"val": 2}), ["val"], tmp_path)


def test_a_file_instead_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(FileExistsError, match="is a file, expected a new or empty folder"):
        export_voc(TOYBOX, ["val"], tmp_path / "out")


def test_an_unknown_subset_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="did you mean 'val'"):
        export_voc(TOYBOX, ["vall"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_a_clear_error_and_the_subset_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Image.Image, path: Path, **options: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match=r"cannot write .*val_000000.png: No space left on device"):
        module.export_voc(TOYBOX, ["val"], tmp_path)
    assert not (tmp_path / "ImageSets").exists()
