"""The check of a dataset reports every problem and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.core.split import Split
from benchmark.data.folders import check as module
from benchmark.data.folders.check import DatasetReport, check_dataset, describe_search
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
"""VOC with the image counts of the trees."""


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(module, "list_splits", lambda: ["voc12"])  # reading all splits takes long


def run_check(folder: Path, spec: DatasetSpec = SMALL, *subsets: str, full: bool = False) -> DatasetReport:
    report = check_dataset(spec, [folder], subsets=subsets, full=full)
    assert report is not None
    return report


def list_problems(report: DatasetReport) -> list[tuple[str, str]]:
    return [(problem.kind, Path(problem.path).name) for problem in report.problems]


@pytest.mark.parametrize("tree", TREES, ids=[f"{tree.dataset}-{tree.layout}" for tree in TREES])
@pytest.mark.parametrize("full", [False, True])
def test_a_complete_dataset_has_no_problem(tree: Tree, full: bool, tmp_path: Path) -> None:
    counts = {subset: len(tree.subsets.get(subset, "")) for subset in load_dataset_spec(tree.dataset).image_counts}
    report = run_check(tree.create(tmp_path), with_image_counts(tree.dataset, **counts), full=full)
    assert report.problems == () and report.layout == tree.layout
    assert {subset.subset: subset.images for subset in report.subsets} == counts
    assert all(bool(subset.fingerprint) == bool(subset.images) for subset in report.subsets)


def test_every_kind_of_damage_is_reported_and_hides_no_other(tmp_path: Path) -> None:
    names = [f"2007_{number:02d}" for number in range(10)]
    root = VOC_DETECTRON2.create(tmp_path) / "VOC2012"
    (root / "train.txt").write_text("\n".join(names))
    for name in names:
        save_image(root / f"JPEGImages/{name}.jpg")
        save_mask(root / f"SegmentationClassAug/{name}.png", np.zeros((HEIGHT, WIDTH)))
    images = [root / f"JPEGImages/{name}.jpg" for name in names]
    masks = [root / f"SegmentationClassAug/{name}.png" for name in names]
    masks[0].unlink()
    save_mask(masks[1], np.zeros((HEIGHT, WIDTH + 1)))
    save_mask(masks[2], np.full((HEIGHT, WIDTH), 77))
    write(images[4], images[4].read_bytes()[:-2])
    save_image(images[5], orientation=6)
    write(images[6], b"")
    write(masks[7], images[7].read_bytes())
    images[8].unlink()
    report = run_check(tmp_path, with_image_counts("voc12", train_aug=10, val=1))
    assert list_problems(report) == [
        ("mask", "2007_00.png"),
        ("size", "2007_01.jpg"),
        ("values", "2007_02.png"),
        ("image", "2007_04.jpg"),
        ("size", "2007_05.jpg"),
        ("image", "2007_06.jpg"),
        ("mask", "2007_07.png"),
        ("image", "2007_08.jpg"),
    ]
    assert [(subset.subset, subset.broken, bool(subset.fingerprint)) for subset in report.subsets[1:]] == [
        ("train_aug", 8, False),
        ("val", 0, True),
    ]


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_gray_and_cmyk_images_are_intact(mode: str, tmp_path: Path) -> None:
    save_image(VOC_MMSEG.create(tmp_path) / VOC_MMSEG.files[0][0], mode=mode)
    assert run_check(tmp_path, full=True).problems == ()


def test_a_color_mask_is_a_problem_of_the_mask(tmp_path: Path) -> None:
    mask = VOC_MMSEG.create(tmp_path) / VOC_MMSEG.files[2][1]
    Image.new("RGB", (WIDTH, HEIGHT)).save(mask)
    (problem,) = run_check(tmp_path).problems
    assert problem.kind == "mask" and problem.path == str(mask) and "color image (RGB)" in problem.text


def test_an_incomplete_subset_is_a_problem_and_has_a_fingerprint(tmp_path: Path) -> None:
    report = run_check(VOC_MMSEG.create(tmp_path), with_image_counts("voc12", train=1, train_aug=5, val=1))
    assert [(problem.kind, problem.text) for problem in report.problems] == [
        ("incomplete", "subset 'train_aug' has 2 images, expected 5")
    ]
    assert all(subset.fingerprint for subset in report.subsets)


def test_the_image_count_of_another_release_is_complete_too(tmp_path: Path) -> None:
    tree = next(tree for tree in TREES if (tree.dataset, tree.layout) == ("pascal_context", "mmseg"))
    spec = with_image_counts("pascal_context", train=3, val=1)
    spec = spec.model_copy(update={"other_image_counts": {"train": (1,)}})
    assert run_check(tree.create(tmp_path), spec).problems == ()


def test_too_many_images_are_a_problem(tmp_path: Path) -> None:
    report = run_check(VOC_MMSEG.create(tmp_path), with_image_counts("voc12", train=1, train_aug=1, val=1))
    assert list_problems(report)[0][0] == "too many"


def test_an_image_that_is_listed_twice_is_a_problem(tmp_path: Path) -> None:
    (VOC_DETECTRON2.create(tmp_path) / "VOC2012/val.txt").write_text("2007_03\n2007_03\n")
    (problem,) = run_check(tmp_path).problems
    assert problem.kind == "duplicate" and "image 2007_03 is listed more than once in subset 'val'" in problem.text


@pytest.mark.parametrize(("name", "problems"), [("train", 0), ("val", 1)])
def test_a_missing_subset_is_a_problem_unless_it_is_optional(name: str, problems: int, tmp_path: Path) -> None:
    root = next(tree for tree in TREES if tree.layout == "trainaug").create(tmp_path)
    (root / f"ImageSets/Segmentation/{name}.txt").unlink(missing_ok=True)
    report = run_check(tmp_path)
    missing = {subset.subset: subset.missing for subset in report.subsets}
    assert missing[name] == (f"ImageSets/Segmentation/{name}.txt",)
    assert [problem.kind for problem in report.problems] == ["missing"] * problems


def test_a_requested_optional_subset_must_be_present(tmp_path: Path) -> None:
    report = run_check(VOC_DETECTRON2.create(tmp_path), SMALL, "train")
    assert [problem.text for problem in report.problems] == [
        "subset 'train' is not present: it lacks an entry in layout detectron2"
    ]


def test_only_requested_subsets_are_checked(tmp_path: Path) -> None:
    write(VOC_MMSEG.create(tmp_path) / VOC_MMSEG.files[0][0], b"")
    report = run_check(tmp_path, SMALL, "val")
    assert report.problems == () and report.images == 1 and [subset.subset for subset in report.subsets] == ["val"]


def test_an_unknown_subset_is_answered_with_the_closest(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no subset 'vall'; did you mean 'val'"):
        check_dataset(SMALL, [tmp_path], subsets=["vall"])


def test_a_second_check_reads_no_file_and_has_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_check(VOC_MMSEG.create(tmp_path))
    monkeypatch.setattr("benchmark.data.folders.scan.read_content", lambda path: pytest.fail(f"{path} was read"))
    second = run_check(tmp_path)
    assert second.subsets == first.subsets and second.num_cached == second.images == 4 and second.files_per_s == 0
    with pytest.raises(pytest.fail.Exception, match="was read"):
        run_check(tmp_path, full=True)


def test_images_with_unseen_classes_are_counted_for_every_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = VOC_DETECTRON2.create(tmp_path) / "VOC2012"
    names = ["seen", "both", "unseen", "neither"]
    (root / "train.txt").write_text("\n".join(names))
    for name, shown in zip(names, ([0, 1], [1, 20], [0, 20], [0, 255]), strict=True):
        save_image(root / f"JPEGImages/{name}.jpg")
        save_mask(root / f"SegmentationClassAug/{name}.png", np.array([shown * (WIDTH // 2)] * HEIGHT))
    split = Split(
        name="a", dataset="voc12", classes=("aeroplane", "tvmonitor"), unseen=("tvmonitor",), train="train_aug"
    )
    monkeypatch.setattr(module, "list_splits", lambda: ["a"])
    monkeypatch.setattr(module, "load_split", lambda name: split)
    (report,) = run_check(tmp_path).splits
    assert (report.images, report.with_unseen, report.only_unseen, report.error) == (4, 2, 1, "")


def test_a_broken_split_is_reported_and_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Split:
        if name == "broken":
            raise ValueError("broken.yaml is not a valid split")
        return Split(name=name, dataset="voc12", classes=("cat", "dog"), unseen=("dog",), train=name)

    monkeypatch.setattr(module, "list_splits", lambda: ["broken", "train", "train_aug"])
    monkeypatch.setattr(module, "load_split", load)
    reports = run_check(VOC_DETECTRON2.create(tmp_path)).splits
    assert [(report.split, report.error) for report in reports] == [
        ("broken", "broken.yaml is not a valid split"),
        ("train", "subset 'train' was not checked"),
        ("train_aug", ""),
    ]


def test_the_search_is_described_by_layout_and_folder(tmp_path: Path) -> None:
    (tmp_path / "VOC2012" / "JPEGImages").mkdir(parents=True)
    lines = describe_search(SMALL, [tmp_path, tmp_path / "nowhere"])
    assert lines[0] == f"{tmp_path / 'nowhere'} does not exist"
    assert [line.split(":")[0] for line in lines[1:]] == list(SMALL.layouts)
    d2 = next(line for line in lines if line.startswith("detectron2:"))
    assert f"no folder VOCdevkit/VOC2012 in {tmp_path}" in d2
    assert f"{tmp_path}/VOC2012 lacks train.txt, SegmentationClassAug/, val.txt" in d2


def test_an_absent_dataset_gives_no_report(tmp_path: Path) -> None:
    assert check_dataset(SMALL, [tmp_path]) is None


@pytest.mark.skipif(not MINI.is_dir(), reason="needs the real photographs in ../shared")
@pytest.mark.parametrize("full", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_real_photographs_are_intact_but_incomplete(full: bool) -> None:
    report = run_check(MINI, load_dataset_spec("voc12"), full=full)
    assert [problem.kind for problem in report.problems] == ["incomplete", "incomplete"]
    assert [(subset.subset, subset.images) for subset in report.subsets] == [
        ("train", 0),
        ("train_aug", 420),
        ("val", 170),
    ]
