"""Every layout is recognized in the usual folders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.folders.dataset_spec import list_dataset_specs, load_dataset_spec
from benchmark.data.folders.discovery import (
    ImageFiles,
    iterate_locations,
    list_data_folders,
    locate_dataset,
    read_image_list,
)
from tests.data.trees import (
    HEIGHT,
    TREES,
    VOC_DETECTRON2,
    VOC_LISTS,
    VOC_MMSEG,
    WIDTH,
    Tree,
    save_image,
    save_mask,
    with_image_counts,
    write,
)

EMPTY = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
IDS = [f"{tree.dataset}-{tree.layout}" for tree in TREES]


@pytest.mark.parametrize("tree", TREES, ids=IDS)
def test_a_layout_is_recognized_with_its_subsets(tree: Tree, tmp_path: Path) -> None:
    location = locate_dataset(load_dataset_spec(tree.dataset), [tree.create(tmp_path)])
    assert location is not None and location.layout == tree.layout
    assert {subset: list(files.image_ids) for subset, files in location.subsets.items()} == tree.subsets


@pytest.mark.parametrize("tree", TREES, ids=IDS)
def test_an_image_knows_its_files(tree: Tree, tmp_path: Path) -> None:
    location = locate_dataset(load_dataset_spec(tree.dataset), [tree.create(tmp_path)])
    assert location is not None
    images = [files[index] for files in location.subsets.values() for index in range(len(files))]
    root = location.root.relative_to(tmp_path)
    assert {(str(root / files.image), str(root / files.mask)) for files in images} == set(tree.files)


def test_every_described_layout_is_tested() -> None:
    described = {(name, layout) for name in list_dataset_specs() for layout in load_dataset_spec(name).layouts}
    assert {(tree.dataset, tree.layout) for tree in TREES} == described


@pytest.mark.parametrize("start", ["", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_the_data_folder_may_be_above_the_dataset_or_the_dataset_itself(start: str, tmp_path: Path) -> None:
    folder = VOC_MMSEG.create(tmp_path) / start
    location = locate_dataset(load_dataset_spec("voc12"), [folder])
    assert location is not None and location.root == tmp_path / "VOCdevkit/VOC2012"


def test_the_first_folder_with_the_dataset_is_used(tmp_path: Path) -> None:
    VOC_MMSEG.create(tmp_path / "b")
    VOC_MMSEG.create(tmp_path / "c")
    location = locate_dataset(load_dataset_spec("voc12"), [tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    assert location is not None and location.root.is_relative_to(tmp_path / "b")


def add_to_training(folder: Path, name: str) -> None:
    """Add an image to VOC's train_aug, in both of its layouts."""
    for root, path in (("VOCdevkit/VOC2012", "ImageSets/Segmentation/aug.txt"), ("VOC2012", "train.txt")):
        save_image(folder / root / f"JPEGImages/{name}.jpg")
        save_mask(folder / root / f"SegmentationClassAug/{name}.png", EMPTY)
        with (folder / root / path).open("a") as file:
            file.write(f"{name}\n")


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """Create VOC in two layouts: mmseg with three subsets, Detectron2 with two; train is complete in neither."""
    VOC_MMSEG.create(tmp_path)
    VOC_DETECTRON2.create(tmp_path)
    add_to_training(tmp_path, "2007_04")
    return tmp_path


def find_best_layout(folder: Path) -> str:
    location = locate_dataset(with_image_counts("voc12", train=9, train_aug=3, val=1), [folder])
    assert location is not None
    return location.layout


def test_with_equally_many_complete_subsets_the_layout_with_more_subsets_wins(both: Path) -> None:
    assert find_best_layout(both) == "mmseg"


def test_more_complete_subsets_win_over_more_subsets(both: Path) -> None:
    (both / VOC_LISTS / "aug.txt").write_text("2007_02\n")
    assert find_best_layout(both) == "detectron2"


def test_a_layout_with_masks_wins_over_one_without(both: Path) -> None:
    (both / "VOCdevkit/VOC2012/SegmentationClassAug/2007_02.png").unlink()
    assert find_best_layout(both) == "detectron2"


def test_missing_files_make_an_image_incomplete(tmp_path: Path) -> None:
    for path in ("SegmentationClassAug/2007_02.png", "JPEGImages/2007_03.jpg"):
        (VOC_DETECTRON2.create(tmp_path) / "VOC2012" / path).unlink()
    (tmp_path / "VOC2012/SegmentationClassAug/2007_02.png").unlink(missing_ok=True)
    location = locate_dataset(load_dataset_spec("voc12"), [tmp_path])
    assert location is not None
    assert {subset: (files.num_complete, len(files)) for subset, files in location.subsets.items()} == {
        "train_aug": (1, 2),
        "val": (0, 1),
    }


def test_masks_come_from_the_aug_folder_if_it_exists(tmp_path: Path) -> None:
    folder = next(tree for tree in TREES if tree.layout == "trainaug").create(tmp_path)
    for number in (1, 2):
        shutil.copytree(folder / "SegmentationClass", folder / "SegmentationClassAug", dirs_exist_ok=number > 1)
    location = locate_dataset(load_dataset_spec("voc12"), [folder])
    assert location is not None
    assert location.subsets["train_aug"][0] == ImageFiles(
        "JPEGImages/2007_01.jpg", "SegmentationClassAug/2007_01.png", "raw"
    )
    assert location.subsets["val"][0].mask == "SegmentationClass/2007_03.png"


def test_a_missing_list_affects_its_subset_only(tmp_path: Path) -> None:
    (VOC_MMSEG.create(tmp_path) / VOC_LISTS / "aug.txt").unlink()
    location = locate_dataset(load_dataset_spec("voc12"), [tmp_path])
    assert location is not None and set(location.subsets) == {"train", "val"}
    assert location.missing == {"train_aug": ("ImageSets/Segmentation/aug.txt",)}


def test_raw_masks_are_not_mistaken_for_converted_ones(tmp_path: Path) -> None:
    tree = next(tree for tree in TREES if tree.layout == "mmseg_raw")
    shutil.move(tree.create(tmp_path) / "coco" / "coco_stuff", tmp_path / "coco_stuff164k")
    location = locate_dataset(load_dataset_spec("coco_stuff164k"), [tmp_path])
    assert location is not None and location.layout == "mmseg_raw"
    mmseg = next(iterate_locations(load_dataset_spec("coco_stuff164k"), [tmp_path], layout="mmseg"))
    assert mmseg.missing["val"] == ("annotations/val2017/*_labelTrainIds.png",)


def test_raw_masks_next_to_converted_ones_add_no_images(tmp_path: Path) -> None:
    tree = next(tree for tree in TREES if (tree.dataset, tree.layout) == ("coco_stuff164k", "mmseg"))
    for _, mask in tree.files:
        shutil.copy(tree.create(tmp_path) / mask, tmp_path / mask.replace("_labelTrainIds", ""))
    location = locate_dataset(load_dataset_spec("coco_stuff164k"), [tmp_path])
    assert location is not None and location.layout == "mmseg"
    assert list(location.subsets["val"].image_ids) == ["000000000139"]


def test_an_empty_folder_has_no_layout(tmp_path: Path) -> None:
    assert locate_dataset(load_dataset_spec("voc12"), [tmp_path, tmp_path / "nowhere"]) is None


def test_an_unknown_layout_is_answered_with_the_closest(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no layout of voc12 'mmsegg'; did you mean 'mmseg'"):
        locate_dataset(load_dataset_spec("voc12"), [tmp_path], layout="mmsegg")


@pytest.mark.parametrize(
    "text",
    [
        "a_1\nb.2\n",
        "a_1\r\nb.2\r\n",
        "\n  a_1  \n\nb.2",
        "\ufeffa_1\nb.2",
        "/JPEGImages/a_1.jpg /SegmentationClassAug/a_1.png\n/JPEGImages/b.2.jpg /SegmentationClassAug/b.2.png\n",
        "JPEGImages\\a_1.jpg\nb.2.PNG",
        "a_1 1\nb.2 -1\n",
    ],
)
def test_lists_in_any_common_format_give_ids(text: str, tmp_path: Path) -> None:
    assert read_image_list(write(tmp_path / "list.txt", text.encode())) == ["a_1", "b.2"]


def test_a_binary_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"list\.txt cannot be read as a list of images"):
        read_image_list(write(tmp_path / "list.txt", b"\xff\xfe\x00"))


def test_images_are_sorted_by_id_in_any_order_of_the_list(tmp_path: Path) -> None:
    folder = VOC_MMSEG.create(tmp_path)
    for name in ("2007_09", "2007_04"):
        save_mask(folder / f"VOCdevkit/VOC2012/SegmentationClassAug/{name}.png", EMPTY)
    (folder / VOC_LISTS / "aug.txt").write_text("2007_09\n2007_02\n2007_04\n2007_09\n")
    location = locate_dataset(load_dataset_spec("voc12"), [folder])
    assert location is not None
    files = location.subsets["train_aug"]
    assert files.image_ids == ("2007_01", "2007_02", "2007_04", "2007_09") and files.duplicates == ("2007_09",)
    assert [files[index].mask.split("/")[0][17:] for index in range(4)] == ["", "Aug", "Aug", "Aug"]


def test_an_image_on_two_lists_belongs_to_the_first(tmp_path: Path) -> None:
    folder = VOC_MMSEG.create(tmp_path)
    (folder / VOC_LISTS / "aug.txt").write_text("2007_01\n2007_02\n")
    location = locate_dataset(load_dataset_spec("voc12"), [folder])
    assert location is not None and location.subsets["train_aug"].duplicates == ("2007_01",)
    assert location.subsets["train_aug"][0].mask == "SegmentationClass/2007_01.png"


def test_data_folders_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_DATA", os.pathsep.join(["/one", "", "~/two"]))
    monkeypatch.setenv("HOME", "/people/me")
    assert list_data_folders() == (Path("/one"), Path("/people/me/two"))
    monkeypatch.delenv("CHIMERA_BENCH_DATA")
    assert list_data_folders() == ()
