"""Real data sets behind the protocol, and what is said of broken files."""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.base import Dataset
from benchmark.data.catalog import dataset_names, open_dataset
from benchmark.data.folders import dataset as module
from benchmark.data.folders.dataset_spec import load_dataset_spec
from benchmark.data.folders.decode import read_image
from benchmark.data.toybox.dataset import ToyBox
from tests.data.trees import (
    COCO_RAW,
    HEIGHT,
    TREES,
    VOC_DETECTRON2,
    VOC_MMSEG,
    WIDTH,
    Tree,
    open_tree,
    save_image,
    save_mask,
    write,
)

MINI = Path(__file__).resolve().parents[4] / "shared" / "data" / "voc12_mini"
IDS = [f"{tree.dataset}-{tree.layout}" for tree in TREES]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.mark.parametrize("tree", TREES, ids=IDS)
def test_mask_values_become_indices_into_the_classes(tree: Tree, tmp_path: Path) -> None:
    dataset: Dataset = open_tree(tree.dataset, tree.create(tmp_path))
    ignore = load_dataset_spec(tree.dataset).ignore
    for subset, image_ids in tree.subsets.items():
        for index, image_id in enumerate(image_ids):
            found = dataset.read(subset, index)
            below = dataset.classes.index(tree.name) if tree.void is None else ignore
            assert found.image_id == image_id and dataset.size(subset) == len(image_ids)
            assert {dataset.classes[label] for label in found.labels[0]} == {tree.name}
            assert set(found.labels[1:].flat) == {below}


def test_labels_are_wide_only_where_there_are_many_classes(tmp_path: Path) -> None:
    kinds = {tree.dataset: open_tree(tree.dataset, tree.create(tmp_path / tree.dataset)) for tree in TREES}
    found = {name: dataset.read("val", 0).labels.dtype for name, dataset in kinds.items()}
    assert found.pop("ade20k_847") == np.uint16 and set(found.values()) == {np.dtype(np.uint8)}


def test_the_picture_is_the_file_that_is_named(tmp_path: Path) -> None:
    found = open_tree("voc12", VOC_MMSEG.create(tmp_path)).read("train_aug", 1)
    assert found.file_name == str(tmp_path / "VOCdevkit/VOC2012/JPEGImages/2007_02.jpg")
    assert np.array_equal(found.image, read_image(Path(found.file_name)))


def test_a_palette_makes_no_difference(tmp_path: Path) -> None:
    folder = VOC_MMSEG.create(tmp_path)
    values = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 21
    save_mask(folder / "VOCdevkit/VOC2012/SegmentationClass/2007_03.png", values, palette=True)
    assert np.array_equal(open_tree("voc12", folder).read("val", 0).labels, values)


def mask_at(folder: Path) -> Path:
    return folder / "VOC2012/SegmentationClassAug/2007_03.png"


def picture_at(folder: Path) -> Path:
    return folder / "VOC2012/JPEGImages/2007_03.jpg"


def illegal(folder: Path) -> None:
    save_mask(mask_at(folder), np.full((HEIGHT, WIDTH), 21))


def too_small(folder: Path) -> None:
    save_mask(mask_at(folder), np.zeros((HEIGHT, WIDTH - 1)))


def turned(folder: Path) -> None:
    save_image(picture_at(folder), orientation=6)


def cut_short(folder: Path) -> None:
    write(picture_at(folder), picture_at(folder).read_bytes()[:-9])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: mask_at(folder).unlink(), r"Aug/2007_03\.png is missing"),
        (lambda folder: picture_at(folder).unlink(), r"JPEGImages/2007_03\.jpg is missing"),
        (lambda folder: write(picture_at(folder), b""), r"2007_03\.jpg is empty"),
        (illegal, r"Aug/2007_03\.png has mask ids 21, expected 0 to 20, and 255 for ignore"),
        (too_small, r"2007_03\.jpg is 8x6 \(width x height\) and .*Aug/2007_03\.png is 7x6; they must agree"),
        (turned, r"2007_03\.jpg is 6x8 .*they agree before the picture is turned as its EXIF orientation 6 says"),
        (cut_short, r"2007_03\.jpg is cut short"),
    ],
    ids=["no mask", "no picture", "empty", "ids", "size", "orientation", "cut"],
)
def test_a_broken_image_is_named_with_its_fault(damage: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    folder = VOC_DETECTRON2.create(tmp_path)
    dataset = open_tree("voc12", folder)
    damage(folder)
    for read in (dataset.read, dataset.labels_in):
        with pytest.raises(ValueError, match=message):
            read("val", 0)
    assert dataset.read("train_aug", 0).image_id == "2007_01"


def test_many_illegal_ids_are_counted_and_not_all_listed(tmp_path: Path) -> None:
    folder = VOC_DETECTRON2.create(tmp_path)
    save_mask(mask_at(folder), np.arange(100, 100 + HEIGHT * WIDTH).reshape(HEIGHT, WIDTH))
    with pytest.raises(ValueError, match=r"mask ids 100, 101, .*, 109 and 38 more, expected"):
        open_tree("voc12", folder).read("val", 0)


def test_a_picture_that_is_turned_fits_a_mask_that_is_turned(tmp_path: Path) -> None:
    folder = VOC_DETECTRON2.create(tmp_path)
    turned(folder)
    save_mask(mask_at(folder), np.zeros((WIDTH, HEIGHT)))
    dataset = open_tree("voc12", folder)
    assert dataset.read("val", 0).image.shape == (WIDTH, HEIGHT, 3) and dataset.labels_in("val", 0) == {0}


def test_the_classes_of_an_image_are_known_without_the_ignored(tmp_path: Path) -> None:
    folder = VOC_DETECTRON2.create(tmp_path)
    save_mask(mask_at(folder), np.array([[0, 255, 7, 20] * 2] * HEIGHT))
    assert open_tree("voc12", folder).labels_in("val", 0) == {0, 7, 20}


@pytest.mark.parametrize("index", [-1, 1])
def test_an_image_outside_of_the_part_is_an_error(index: int, tmp_path: Path) -> None:
    dataset = open_tree("voc12", VOC_DETECTRON2.create(tmp_path))
    for read in (dataset.read, dataset.labels_in):
        with pytest.raises(IndexError, match=f"'val' has images 0 to 0, asked for {index}"):
            read("val", index)


def test_a_part_that_is_not_there_says_what_it_lacks(tmp_path: Path) -> None:
    folder = VOC_MMSEG.create(tmp_path)
    (folder / "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt").unlink()
    with pytest.raises(KeyError, match=r"'train_aug' of 'voc12' is not in .*: it lacks ImageSets/.*/train\.txt"):
        open_tree("voc12", folder).size("train_aug")


def test_a_part_that_a_layout_does_not_have_is_answered_so(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="the layout 'detectron2' has no such subset"):
        open_tree("voc12", VOC_DETECTRON2.create(tmp_path)).size("train")


def test_an_unknown_part_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no subset 'trainaug'; did you mean 'train_aug'"):
        open_tree("voc12", VOC_DETECTRON2.create(tmp_path)).size("trainaug")


def test_a_copy_in_another_process_is_light_and_reads_the_same(tmp_path: Path) -> None:
    dataset = open_tree("voc12", VOC_MMSEG.create(tmp_path))
    before = pickle.dumps(dataset)
    dataset.fingerprint()
    assert pickle.dumps(dataset) == before
    assert np.array_equal(pickle.loads(before).read("val", 0).image, dataset.read("val", 0).image)


def test_the_fingerprint_is_that_of_the_content_in_any_layout_and_folder(tmp_path: Path) -> None:
    subsets = ("train_aug", "val")
    one = open_tree("voc12", VOC_MMSEG.create(tmp_path / "a")).fingerprint(*subsets)
    assert open_tree("voc12", VOC_DETECTRON2.create(tmp_path / "b")).fingerprint(*subsets) == one
    assert open_tree("voc12", VOC_MMSEG.create(tmp_path / "c")).fingerprint(*reversed(subsets)) == one


def test_converted_masks_have_the_fingerprint_of_raw_ones(tmp_path: Path) -> None:
    trees = [tree for tree in TREES if tree.dataset == "coco_stuff164k"]
    found = {open_tree(tree.dataset, tree.create(tmp_path / tree.layout)).fingerprint() for tree in trees}
    assert len(trees) == 4 and len(found) == 1


def test_the_fingerprint_is_what_it_is_said_to_be(tmp_path: Path) -> None:
    folder = COCO_RAW.create(tmp_path)
    picture, labels = (folder / COCO_RAW.files[1][0]).read_bytes(), np.full((HEIGHT, WIDTH), 255, "<u2")
    labels[0] = 170
    mask = hashlib.sha256(b"6 8 " + labels.tobytes()).hexdigest()
    subset = hashlib.sha256(f"000000000139 {hashlib.sha256(picture).hexdigest()} {mask}\n".encode()).hexdigest()
    info = load_dataset_spec("coco_stuff164k")
    text = json.dumps({"classes": info.classes, "name": info.name, "parts": {"val": subset}}, separators=(",", ":"))
    assert open_tree("coco_stuff164k", folder).fingerprint("val") == hashlib.sha256(text.encode()).hexdigest()


def one_pixel(folder: Path) -> None:
    values = np.full((HEIGHT, WIDTH), 255)
    values[0] = COCO_RAW.value
    values[3, 3] = 0
    save_mask(folder / COCO_RAW.files[0][1], values)


def other_picture(folder: Path) -> None:
    save_image(folder / COCO_RAW.files[0][0], mode="L")


def other_name(folder: Path) -> None:
    for path, name in zip(COCO_RAW.files[0], ("000000000010.jpg", "000000000010.png"), strict=True):
        shutil.copy(folder / path, (folder / path).with_name(name))


@pytest.mark.parametrize("change", [one_pixel, other_picture, other_name])
def test_the_fingerprint_changes_with(change: Callable[[Path], None], tmp_path: Path) -> None:
    before = open_tree("coco_stuff164k", COCO_RAW.create(tmp_path))
    whole, untouched = before.fingerprint(), before.fingerprint("val")
    change(tmp_path)
    after = open_tree("coco_stuff164k", tmp_path)
    assert after.fingerprint() != whole and after.fingerprint("val") == untouched


def test_a_broken_file_has_no_fingerprint_and_the_check_is_pointed_to(tmp_path: Path) -> None:
    folder = VOC_DETECTRON2.create(tmp_path)
    cut_short(folder)
    with pytest.raises(ValueError, match=r"1 of 1 images .*'val'.* first: .*2007_03\.jpg is cut.*data check voc12"):
        open_tree("voc12", folder).fingerprint()


def test_long_reading_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LOG_EVERY_S", 0.0)
    with caplog.at_level(logging.INFO):
        open_tree("voc12", VOC_DETECTRON2.create(tmp_path)).fingerprint("train_aug")
    assert "reading voc12 train_aug once: 2 of 2 images" in caplog.text


def test_the_catalog_opens_data_sets_below_the_given_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_DATA", str(VOC_MMSEG.create(tmp_path)))
    assert open_dataset("voc12").read("val", 0).image_id == "2007_03"
    assert {"ade20k_150", "coco_stuff164k", "toybox", "voc12"} <= set(dataset_names())


def test_the_toybox_follows_the_same_protocol() -> None:
    world: Dataset = ToyBox({"train": 2, "test": 1})
    labels = world.read("train", 1).labels
    assert world.labels_in("train", 1) == set(np.unique(labels).tolist())
    assert world.fingerprint() == world.fingerprint("test", "train") != world.fingerprint("train")
    with pytest.raises(KeyError, match="did you mean 'train'"):
        world.fingerprint("trian")


@pytest.mark.parametrize("name", ["ade20k_150", "ade20k_847", "coco_stuff164k", "pascal_context", "voc12"])
def test_a_data_set_that_is_nowhere_says_what_to_do(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHIMERA_BENCH_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=f"no folder is given: .*--data DIR.*data check {name}"):
        open_dataset(name)
    monkeypatch.setenv("CHIMERA_BENCH_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"is not in {tmp_path}: looked for .*data check {name}"):
        open_dataset(name)


@pytest.mark.skipif(not MINI.is_dir(), reason="the small set of real photographs is not here")
def test_real_photographs_are_read_and_keep_their_fingerprint() -> None:
    dataset = open_tree("voc12", MINI)
    assert (dataset.size("train_aug"), dataset.size("val")) == (420, 170)
    found = dataset.read("val", 0)
    assert found.image.shape[:2] == found.labels.shape and len(dataset.labels_in("val", 0)) > 1
    assert dataset.fingerprint() == "3074f6a7a71ed211526d6c933aaf109b20949377a9e05dde1810fdec8d9d47f3"
