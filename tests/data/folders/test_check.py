"""The check finds everything that is wrong, and nothing that is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.core.split import Split
from benchmark.data.folders import check as module
from benchmark.data.folders.check import Report, check_dataset, describe_search
from benchmark.data.folders.dataset_spec import DatasetSpec, load_dataset_spec
from tests.data.trees import (
    HEIGHT,
    TREES,
    VOC_DETECTRON2,
    VOC_MMSEG,
    WIDTH,
    Tree,
    save_image,
    save_mask,
    with_image_counts,
    write,
)

MINI = Path(__file__).resolve().parents[4] / "shared" / "data" / "voc12_mini"
SMALL = with_image_counts("voc12", train=1, train_aug=2, val=1)
"""VOC as it is whole in the trees."""


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(module, "split_names", lambda: ["voc12"])  # reading all of them takes a while


def checked(folder: Path, info: DatasetSpec = SMALL, *subsets: str, full: bool = False) -> Report:
    report = check_dataset(info, [folder], subsets=subsets, full=full)
    assert report is not None
    return report


def told(report: Report) -> list[tuple[str, str]]:
    return [(problem.kind, Path(problem.path).name) for problem in report.problems]


@pytest.mark.parametrize("tree", TREES, ids=[f"{tree.dataset}-{tree.layout}" for tree in TREES])
@pytest.mark.parametrize("full", [False, True])
def test_what_is_whole_has_no_problem(tree: Tree, full: bool, tmp_path: Path) -> None:
    counts = {subset: len(tree.subsets.get(subset, "")) for subset in load_dataset_spec(tree.dataset).image_counts}
    report = checked(tree.create(tmp_path), with_image_counts(tree.dataset, **counts), full=full)
    assert report.problems == () and report.layout == tree.layout
    assert {subset.subset: subset.images for subset in report.subsets} == counts
    assert all(bool(subset.fingerprint) == bool(subset.images) for subset in report.subsets)


def test_every_kind_of_damage_is_named_and_hides_no_other(tmp_path: Path) -> None:
    names = [f"2007_{number:02d}" for number in range(10)]
    root = VOC_DETECTRON2.create(tmp_path) / "VOC2012"
    (root / "train.txt").write_text("\n".join(names))
    for name in names:
        save_image(root / f"JPEGImages/{name}.jpg")
        save_mask(root / f"SegmentationClassAug/{name}.png", np.zeros((HEIGHT, WIDTH)))
    pictures = [root / f"JPEGImages/{name}.jpg" for name in names]
    masks = [root / f"SegmentationClassAug/{name}.png" for name in names]
    masks[0].unlink()
    save_mask(masks[1], np.zeros((HEIGHT, WIDTH + 1)))
    save_mask(masks[2], np.full((HEIGHT, WIDTH), 77))
    write(pictures[4], pictures[4].read_bytes()[:-2])
    save_image(pictures[5], orientation=6)
    write(pictures[6], b"")
    write(masks[7], pictures[7].read_bytes())
    pictures[8].unlink()
    report = checked(tmp_path, with_image_counts("voc12", train_aug=10, val=1))
    assert told(report) == [
        ("mask", "2007_00.png"),
        ("size", "2007_01.jpg"),
        ("ids", "2007_02.png"),
        ("picture", "2007_04.jpg"),
        ("size", "2007_05.jpg"),
        ("picture", "2007_06.jpg"),
        ("mask", "2007_07.png"),
        ("picture", "2007_08.jpg"),
    ]
    assert [(subset.subset, subset.broken, bool(subset.fingerprint)) for subset in report.subsets[1:]] == [
        ("train_aug", 8, False),
        ("val", 0, True),
    ]


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_pictures_are_whole(mode: str, tmp_path: Path) -> None:
    save_image(VOC_MMSEG.create(tmp_path) / VOC_MMSEG.files[0][0], mode=mode)
    assert checked(tmp_path, full=True).problems == ()


def test_a_coloured_mask_is_a_problem_of_the_mask(tmp_path: Path) -> None:
    mask = VOC_MMSEG.create(tmp_path) / VOC_MMSEG.files[2][1]
    Image.new("RGB", (WIDTH, HEIGHT)).save(mask)
    (problem,) = checked(tmp_path).problems
    assert problem.kind == "mask" and problem.path == str(mask) and "colour picture (RGB)" in problem.text


def test_too_few_images_are_incomplete_and_what_is_there_has_a_fingerprint(tmp_path: Path) -> None:
    report = checked(VOC_MMSEG.create(tmp_path), with_image_counts("voc12", train=1, train_aug=5, val=1))
    assert [(one.kind, one.text) for one in report.problems] == [
        ("incomplete", "subset 'train_aug' has 2 images, expected 5")
    ]
    assert all(subset.fingerprint for subset in report.subsets)


def test_the_number_of_another_release_is_whole_too(tmp_path: Path) -> None:
    tree = next(tree for tree in TREES if (tree.dataset, tree.layout) == ("pascal_context", "mmseg"))
    info = with_image_counts("pascal_context", train=3, val=1).model_copy(
        update={"other_image_counts": {"train": (1,)}}
    )
    assert checked(tree.create(tmp_path), info).problems == ()


def test_too_many_images_are_a_problem(tmp_path: Path) -> None:
    assert (
        told(checked(VOC_MMSEG.create(tmp_path), with_image_counts("voc12", train=1, train_aug=1, val=1)))[0][0]
        == "too many"
    )


def test_an_image_that_is_listed_twice_is_a_problem(tmp_path: Path) -> None:
    (VOC_DETECTRON2.create(tmp_path) / "VOC2012/val.txt").write_text("2007_03\n2007_03\n")
    (problem,) = checked(tmp_path).problems
    assert problem.kind == "twice" and "image 2007_03 is listed more than once in subset 'val'" in problem.text


@pytest.mark.parametrize(("name", "problems"), [("train", 0), ("val", 1)])
def test_a_missing_part_is_a_problem_unless_it_is_optional(name: str, problems: int, tmp_path: Path) -> None:
    root = next(tree for tree in TREES if tree.layout == "trainaug").create(tmp_path)
    (root / f"ImageSets/Segmentation/{name}.txt").unlink(missing_ok=True)
    report = checked(tmp_path)
    assert [one.missing for one in report.subsets if one.subset == name] == [(f"ImageSets/Segmentation/{name}.txt",)]
    assert [one.kind for one in report.problems] == ["missing"] * problems


def test_an_optional_part_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    report = checked(VOC_DETECTRON2.create(tmp_path), SMALL, "train")
    assert [one.text for one in report.problems] == [
        "subset 'train' is not there: it lacks a place in the layout detectron2"
    ]


def test_only_the_parts_that_are_asked_for_are_looked_at(tmp_path: Path) -> None:
    write(VOC_MMSEG.create(tmp_path) / VOC_MMSEG.files[0][0], b"")
    report = checked(tmp_path, SMALL, "val")
    assert report.problems == () and report.images == 1 and [subset.subset for subset in report.subsets] == ["val"]


def test_an_unknown_part_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no subset 'vall'; did you mean 'val'"):
        check_dataset(SMALL, [tmp_path], subsets=["vall"])


def test_a_second_check_reads_nothing_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = checked(VOC_MMSEG.create(tmp_path))
    monkeypatch.setattr("benchmark.data.folders.scan.read_content", lambda path: pytest.fail(f"{path} was read"))
    second = checked(tmp_path)
    assert second.subsets == first.subsets and second.num_cached == second.images == 4 and second.files_per_s == 0
    with pytest.raises(pytest.fail.Exception, match="was read"):
        checked(tmp_path, full=True)


def test_images_by_what_they_show_are_counted_for_every_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = VOC_DETECTRON2.create(tmp_path) / "VOC2012"
    names = ["seen", "both", "unseen", "neither"]
    (root / "train.txt").write_text("\n".join(names))
    for name, shown in zip(names, ([0, 1], [1, 20], [0, 20], [0, 255]), strict=True):
        save_image(root / f"JPEGImages/{name}.jpg")
        save_mask(root / f"SegmentationClassAug/{name}.png", np.array([shown * (WIDTH // 2)] * HEIGHT))
    split = Split(
        name="a", dataset="voc12", classes=("aeroplane", "tvmonitor"), unseen=("tvmonitor",), train="train_aug"
    )
    monkeypatch.setattr(module, "split_names", lambda: ["a"])
    monkeypatch.setattr(module, "load_split", lambda name: split)
    (found,) = checked(tmp_path).splits
    assert (found.images, found.with_unseen, found.only_unseen, found.error) == (4, 2, 1, "")


def test_a_broken_split_is_told_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Split:
        if name == "broken":
            raise ValueError("broken.yaml is not a valid split")
        return Split(name=name, dataset="voc12", classes=("cat", "dog"), unseen=("dog",), train=name)

    monkeypatch.setattr(module, "split_names", lambda: ["broken", "train", "train_aug"])
    monkeypatch.setattr(module, "load_split", load)
    found = checked(VOC_DETECTRON2.create(tmp_path)).splits
    assert [(one.split, one.error) for one in found] == [
        ("broken", "broken.yaml is not a valid split"),
        ("train", "subset 'train' was not looked at"),
        ("train_aug", ""),
    ]


def test_what_was_looked_for_is_told_by_layout_and_folder(tmp_path: Path) -> None:
    (tmp_path / "VOC2012" / "JPEGImages").mkdir(parents=True)
    lines = describe_search(SMALL, [tmp_path, tmp_path / "nowhere"])
    assert lines[0] == f"{tmp_path / 'nowhere'} does not exist"
    assert [line.split(":")[0] for line in lines[1:]] == list(SMALL.layouts)
    d2 = next(line for line in lines if line.startswith("detectron2:"))
    assert f"no folder VOCdevkit/VOC2012 in {tmp_path}" in d2
    assert f"{tmp_path}/VOC2012 lacks train.txt, SegmentationClassAug/, val.txt" in d2


def test_nothing_there_is_no_report(tmp_path: Path) -> None:
    assert check_dataset(SMALL, [tmp_path]) is None


@pytest.mark.skipif(not MINI.is_dir(), reason="the small set of real photographs is not here")
@pytest.mark.parametrize("full", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_real_photographs_are_whole_and_only_too_few(full: bool) -> None:
    report = checked(MINI, load_dataset_spec("voc12"), full=full)
    assert [problem.kind for problem in report.problems] == ["incomplete", "incomplete"]
    assert [(subset.subset, subset.images) for subset in report.subsets] == [
        ("train", 0),
        ("train_aug", 420),
        ("val", 170),
    ]
