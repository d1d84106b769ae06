"""Datasets on disk behind the `Dataset` protocol, and messages about broken files."""

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
from benchmark.data.catalog import list_datasets, open_dataset
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
            sample = dataset.read(subset, index)
            below = dataset.classes.index(tree.name) if tree.void is None else ignore
            assert sample.image_id == image_id and dataset.size(subset) == len(image_ids)
            assert {dataset.classes[label] for label in sample.labels[0]} == {tree.name}
            assert set(sample.labels[1:].flat) == {below}


def test_labels_have_16_bits_only_for_many_classes(tmp_path: Path) -> None:
    datasets = {tree.dataset: open_tree(tree.dataset, tree.create(tmp_path / tree.dataset)) for tree in TREES}
    dtypes = {name: dataset.read("val", 0).labels.dtype for name, dataset in datasets.items()}
    assert dtypes.pop("ade20k_847") == np.uint16 and set(dtypes.values()) == {np.dtype(np.uint8)}


def test_the_image_is_that_of_the_named_file(tmp_path: Path) -> None:
    sample = open_tree("voc12", VOC_MMSEG.create(tmp_path)).read("train_aug", 1)
    assert sample.file_name == str(tmp_path / "VOCdevkit/VOC2012/JPEGImages/2007_02.jpg")
    assert np.array_equal(sample.image, read_image(Path(sample.file_name)))


def test_a_palette_makes_no_difference(tmp_path: Path) -> None:
    folder = VOC_MMSEG.create(tmp_path)
    values = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 21
    save_mask(folder / "VOCdevkit/VOC2012/SegmentationClass/2007_03.png", values, palette=True)
    assert np.array_equal(open_tree("voc12", folder).read("val", 0).labels, values)


def get_mask(folder: Path) -> Path:
    return folder / "VOC2012/SegmentationClassAug/2007_03.png"


def get_image(folder: Path) -> Path:
    return folder / "VOC2012/JPEGImages/2007_03.jpg"


def write_illegal_values(folder: Path) -> None:
    save_mask(get_mask(folder), np.full((HEIGHT, WIDTH), 21))


def shrink_mask(folder: Path) -> None:
    save_mask(get_mask(folder), np.zeros((HEIGHT, WIDTH - 1)))


def rotate_image(folder: Path) -> None:
    save_image(get_image(folder), orientation=6)


def truncate_image(folder: Path) -> None:
    write(get_image(folder), get_image(folder).read_bytes()[:-9])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: get_mask(folder).unlink(), r"Aug/2007_03\.png is missing"),
        (lambda folder: get_image(folder).unlink(), r"JPEGImages/2007_03\.jpg is missing"),
        (lambda folder: write(get_image(folder), b""), r"2007_03\.jpg is empty"),
        (write_illegal_values, r"Aug/2007_03\.png has mask values 21, expected 0 to 20, and 255 for ignore"),
        (shrink_mask, r"2007_03\.jpg is 8x6 \(width x height\) but .*Aug/2007_03\.png is 7x6; expected equal sizes"),
        (rotate_image, r"2007_03\.jpg is 6x8 .*they match before EXIF orientation 6 is applied to the image"),
        (truncate_image, r"2007_03\.jpg is truncated"),
    ],
    ids=["no mask", "no image", "empty", "values", "size", "orientation", "truncated"],
)
def test_a_broken_image_is_named_with_its_fault(damage: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    folder = VOC_DETECTRON2.create(tmp_path)
    dataset = open_tree("voc12", folder)
    damage(folder)
    for read in (dataset.read, dataset.read_classes):
        with pytest.raises(ValueError, match=message):
            read("val", 0)
    assert dataset.read("train_aug", 0).image_id == "2007_01"


def test_many_illegal_values_are_counted_and_not_all_listed(tmp_path: Path) -> None:
    folder = VOC_DETECTRON2.create(tmp_path)
    save_mask(get_mask(folder), np.arange(100, 100 + HEIGHT * WIDTH).reshape(HEIGHT, WIDTH))
    with pytest.raises(ValueError, match=r"mask values 100, 101, .*, 109 and 38 more, expected"):
        open_tree("voc12", folder).read("val", 0)


def test_a_rotated_image_fits_a_rotated_mask(tmp_path: Path) -> None:
    folder = VOC_DETECTRON2.create(tmp_path)
    rotate_image(folder)
    save_mask(get_mask(folder), np.zeros((WIDTH, HEIGHT)))
    dataset = open_tree("voc12", folder)
    assert dataset.read("val", 0).image.shape == (WIDTH, HEIGHT, 3) and dataset.read_classes("val", 0) == {0}


def test_the_classes_of_an_image_exclude_ignored_pixels(tmp_path: Path) -> None:
    folder = VOC_DETECTRON2.create(tmp_path)
    save_mask(get_mask(folder), np.array([[0, 255, 7, 20] * 2] * HEIGHT))
    assert open_tree("voc12", folder).read_classes("val", 0) == {0, 7, 20}


@pytest.mark.parametrize("index", [-1, 1])
def test_an_index_out_of_range_is_an_error(index: int, tmp_path: Path) -> None:
    dataset = open_tree("voc12", VOC_DETECTRON2.create(tmp_path))
    for read in (dataset.read, dataset.read_classes):
        with pytest.raises(IndexError, match=f"'val' has images 0 to 0, got index {index}"):
            read("val", index)


def test_an_incomplete_subset_is_answered_with_the_missing_files(tmp_path: Path) -> None:
    folder = VOC_MMSEG.create(tmp_path)
    (folder / "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt").unlink()
    with pytest.raises(KeyError, match=r"'train_aug' of 'voc12' is not in .*: missing ImageSets/.*/train\.txt"):
        open_tree("voc12", folder).size("train_aug")


def test_a_subset_that_the_layout_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="layout 'detectron2' has no such subset"):
        open_tree("voc12", VOC_DETECTRON2.create(tmp_path)).size("train")


def test_an_unknown_subset_is_answered_with_the_closest(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no subset 'trainaug'; did you mean 'train_aug'"):
        open_tree("voc12", VOC_DETECTRON2.create(tmp_path)).size("trainaug")


def test_a_pickled_dataset_is_small_and_reads_the_same(tmp_path: Path) -> None:
    dataset = open_tree("voc12", VOC_MMSEG.create(tmp_path))
    before = pickle.dumps(dataset)
    dataset.fingerprint()
    assert pickle.dumps(dataset) == before
    assert np.array_equal(pickle.loads(before).read("val", 0).image, dataset.read("val", 0).image)


def test_the_fingerprint_is_the_same_in_any_layout_and_folder(tmp_path: Path) -> None:
    subsets = ("train_aug", "val")
    expected = open_tree("voc12", VOC_MMSEG.create(tmp_path / "a")).fingerprint(*subsets)
    assert open_tree("voc12", VOC_DETECTRON2.create(tmp_path / "b")).fingerprint(*subsets) == expected
    assert open_tree("voc12", VOC_MMSEG.create(tmp_path / "c")).fingerprint(*reversed(subsets)) == expected


def test_converted_masks_have_the_fingerprint_of_raw_ones(tmp_path: Path) -> None:
    trees = [tree for tree in TREES if tree.dataset == "coco_stuff164k"]
    fingerprints = {open_tree(tree.dataset, tree.create(tmp_path / tree.layout)).fingerprint() for tree in trees}
    assert len(trees) == 4 and len(fingerprints) == 1


def test_the_fingerprint_has_the_documented_content(tmp_path: Path) -> None:
    folder = COCO_RAW.create(tmp_path)
    image, labels = (folder / COCO_RAW.files[1][0]).read_bytes(), np.full((HEIGHT, WIDTH), 255, "<u2")
    labels[0] = 170
    mask = hashlib.sha256(b"6 8 " + labels.tobytes()).hexdigest()
    subset = hashlib.sha256(f"000000000139 {hashlib.sha256(image).hexdigest()} {mask}\n".encode()).hexdigest()
    spec = load_dataset_spec("coco_stuff164k")
    text = json.dumps({"classes": spec.classes, "name": spec.name, "parts": {"val": subset}}, separators=(",", ":"))
    assert open_tree("coco_stuff164k", folder).fingerprint("val") == hashlib.sha256(text.encode()).hexdigest()


def change_pixel(folder: Path) -> None:
    values = np.full((HEIGHT, WIDTH), 255)
    values[0] = COCO_RAW.value
    values[3, 3] = 0
    save_mask(folder / COCO_RAW.files[0][1], values)


def change_image(folder: Path) -> None:
    save_image(folder / COCO_RAW.files[0][0], mode="L")


def change_name(folder: Path) -> None:
    for path, name in zip(COCO_RAW.files[0], ("000000000010.jpg", "000000000010.png"), strict=True):
        shutil.copy(folder / path, (folder / path).with_name(name))


@pytest.mark.parametrize("change", [change_pixel, change_image, change_name])
def test_the_fingerprint_changes_with_the_content(change: Callable[[Path], None], tmp_path: Path) -> None:
    before = open_tree("coco_stuff164k", COCO_RAW.create(tmp_path))
    whole, untouched = before.fingerprint(), before.fingerprint("val")
    change(tmp_path)
    after = open_tree("coco_stuff164k", tmp_path)
    assert after.fingerprint() != whole and after.fingerprint("val") == untouched


def test_a_broken_subset_has_no_fingerprint_and_the_message_names_the_check(tmp_path: Path) -> None:
    folder = VOC_DETECTRON2.create(tmp_path)
    truncate_image(folder)
    with pytest.raises(ValueError, match=r"1 of 1 images .*'val'.*2007_03\.jpg is truncated.*data check voc12"):
        open_tree("voc12", folder).fingerprint()


def test_progress_of_reading_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LOG_EVERY_S", 0.0)
    with caplog.at_level(logging.INFO):
        open_tree("voc12", VOC_DETECTRON2.create(tmp_path)).fingerprint("train_aug")
    assert "reading voc12 train_aug for the first time: 2 of 2 images" in caplog.text


def test_the_catalog_opens_datasets_in_the_data_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_DATA", str(VOC_MMSEG.create(tmp_path)))
    assert open_dataset("voc12").read("val", 0).image_id == "2007_03"
    assert {"ade20k_150", "coco_stuff164k", "toybox", "voc12"} <= set(list_datasets())


def test_the_toybox_follows_the_same_protocol() -> None:
    toybox: Dataset = ToyBox({"train": 2, "test": 1})
    labels = toybox.read("train", 1).labels
    assert toybox.read_classes("train", 1) == set(np.unique(labels).tolist())
    assert toybox.fingerprint() == toybox.fingerprint("test", "train") != toybox.fingerprint("train")
    with pytest.raises(KeyError, match="did you mean 'train'"):
        toybox.fingerprint("trian")


@pytest.mark.parametrize("name", ["ade20k_150", "ade20k_847", "coco_stuff164k", "pascal_context", "voc12"])
def test_a_missing_dataset_is_an_error_with_advice(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHIMERA_BENCH_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=f"needs a data folder: pass --data DIR .*data check {name}"):
        open_dataset(name)
    monkeypatch.setenv("CHIMERA_BENCH_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"was not found in {tmp_path}: looked for .*data check {name}"):
        open_dataset(name)


@pytest.mark.skipif(not MINI.is_dir(), reason="needs the real photographs in ../shared")
def test_real_photographs_are_read_and_keep_their_fingerprint() -> None:
    dataset = open_tree("voc12", MINI)
    assert (dataset.size("train_aug"), dataset.size("val")) == (420, 170)
    sample = dataset.read("val", 0)
    assert sample.image.shape[:2] == sample.labels.shape and len(dataset.read_classes("val", 0)) > 1
    assert dataset.fingerprint() == "3074f6a7a71ed211526d6c933aaf109b20949377a9e05dde1810fdec8d9d47f3"
