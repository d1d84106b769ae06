"""Splits as Detectron2's data sets: its own mapper and readers see the labels that our loader makes, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

import benchmark.d2.register  # noqa: F401  # first, as it loads Detectron2 without its warnings

# isort: split
from detectron2.data import DatasetCatalog, DatasetMapper, MetadataCatalog
from detectron2.data.detection_utils import read_image
from detectron2.evaluation.sem_seg_evaluation import load_image_into_numpy_array
from detectron2.utils.file_io import PathManager

from benchmark.core.protocol import Protocol
from benchmark.core.split import load_split, split_names
from benchmark.core.types import WIDE_IGNORE
from benchmark.d2.catalogs.catalog import VIEWS, register_split
from benchmark.d2.catalogs.mapper import SplitMapper
from benchmark.data.catalog import DATASETS, open_dataset
from benchmark.data.folders.discovery import VARIABLE
from benchmark.data.loader import EvalLoader
from tests.d2.numbered import COUNT, Numbered, split_file
from tests.data.trees import VOC_MMSEG

Register = Callable[[str], tuple[str, str]]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    """`register_split`, undone after the test."""
    before = set(VIEWS)
    yield register_split
    for name in set(VIEWS) - before:
        del VIEWS[name]
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> Numbered:
    world = Numbered()
    monkeypatch.setitem(DATASETS, "numbered", lambda: world)
    return world


def mapped(record: dict[str, Any], *, is_train: bool) -> dict[str, Any]:
    """What Detectron2's own mapper makes of a record."""
    sample: dict[str, Any] = DatasetMapper(is_train, augmentations=[], image_format="RGB")(record)
    return sample


def test_every_split_is_there_with_both_of_its_parts() -> None:
    splits = [load_split(name) for name in split_names()]
    expected = {f"chimera_{split.name}_{part}" for split in splits for part in (split.train, split.evaluate)}
    assert expected <= set(DatasetCatalog)


def test_training_labels_are_among_seen_classes_and_unseen_pixels_are_ignored() -> None:
    split, world = load_split("toybox"), open_dataset("toybox")
    record = DatasetCatalog.get("chimera_toybox_train")[4]
    names = [world.classes[label] for label in range(20)]
    table = np.array([split.seen.index(name) if name in split.seen else 255 for name in names])
    expected = table[world.read("train", 4).labels]
    assert (expected == 255).any()
    assert mapped(record, is_train=True)["sem_seg"].tolist() == expected.tolist()


def test_scored_images_and_labels_are_those_of_our_loader() -> None:
    records = DatasetCatalog.get("chimera_toybox_test")
    view = EvalLoader(open_dataset("toybox"), load_split("toybox"), protocol=Protocol(), max_images=2)
    for record, (sample, truth) in zip(records, view, strict=False):
        theirs = mapped(record, is_train=False)
        assert theirs["image"].equal(sample["image"]) and theirs["sem_seg"].equal(truth)
        assert theirs["image_id"] == sample["image_id"]


def test_the_evaluator_reads_what_the_mapper_reads() -> None:
    path = DatasetCatalog.get("chimera_toybox_test")[1]["sem_seg_file_name"]
    assert load_image_into_numpy_array(path, dtype=int).tolist() == read_image(path, "L")[:, :, 0].tolist()


def test_a_listing_reads_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("benchmark.data.toybox.dataset.ToyBox.read")
    assert len(DatasetCatalog.get("chimera_toybox_train")) == 1600


def test_a_class_has_one_colour_in_both_parts_and_no_other_class_has_it() -> None:
    train, test = (MetadataCatalog.get(f"chimera_toybox_{part}") for part in ("train", "test"))
    colours = dict(zip(test.stuff_classes, test.stuff_colors, strict=True))
    assert [colours[name] for name in train.stuff_classes] == train.stuff_colors
    assert len(set(colours.values())) == 20


def test_metadata_say_which_classes_are_seen() -> None:
    metadata = MetadataCatalog.get("chimera_toybox_test")
    assert [name for name, seen in zip(metadata.stuff_classes, metadata.seen, strict=True) if not seen] == list(
        load_split("toybox").unseen
    )
    assert (metadata.split, metadata.ignore_label, metadata.evaluator_type) == ("toybox", 255, "sem_seg")


def test_only_images_that_take_part_are_in_training(numbered: Numbered, register: Register, tmp_path: Path) -> None:
    train, test = register(split_file(tmp_path, unseen=2, protocol="zs3"))  # pictures 0 and 1 show unseen classes
    assert [record["image_id"] for record in DatasetCatalog.get(train)] == ["train-2"]
    assert len(DatasetCatalog.get(test)) == 3


def test_labels_of_16_bits_are_read_by_the_evaluator(numbered: Numbered, register: Register, tmp_path: Path) -> None:
    _, test = register(split_file(tmp_path, classes=299))
    path = DatasetCatalog.get(test)[0]["sem_seg_file_name"]
    assert load_image_into_numpy_array(path, dtype=int)[0].tolist() == [0] + [WIDE_IGNORE] * 4


def test_the_mapper_that_would_cut_labels_to_8_bits_gets_none(
    numbered: Numbered, register: Register, tmp_path: Path
) -> None:
    train, _ = register(split_file(tmp_path))
    assert "sem_seg" not in mapped(DatasetCatalog.get(train)[2], is_train=True)


def test_our_mapper_gives_training_labels_of_any_number_of_classes(
    numbered: Numbered, register: Register, tmp_path: Path
) -> None:
    train, _ = register(split_file(tmp_path))
    sample = SplitMapper(train)(DatasetCatalog.get(train)[2])
    assert set(sample["sem_seg"].unique().tolist()) == {2, COUNT - 3}


def test_our_mapper_follows_the_overrides_of_the_protocol() -> None:
    mapper = SplitMapper("chimera_toybox_train", overrides=["protocol.train.crop=48", "sgd.keep_end=0.1"])
    record = DatasetCatalog.get("chimera_toybox_train")[0]
    assert mapper(record)["image"].shape == (3, 48, 48)


def test_our_mapper_draws_what_numpy_was_seeded_for() -> None:
    mapper, record = SplitMapper("chimera_toybox_train"), DatasetCatalog.get("chimera_toybox_train")[0]

    def seeded(seed: int) -> Any:
        np.random.seed(seed)
        return mapper(record)["image"]

    assert seeded(1).equal(seeded(1)) and not seeded(1).equal(seeded(2))


def test_a_sample_of_our_mapper_in_evaluation_is_that_of_a_run() -> None:
    record = DatasetCatalog.get("chimera_toybox_test")[1]
    expected, _ = EvalLoader(open_dataset("toybox"), load_split("toybox"), protocol=Protocol()).sample(1)
    found = SplitMapper("chimera_toybox_test")(record)
    assert found["image"].equal(expected["image"]) and "sem_seg" not in found
    assert found["file_name"] == record["file_name"]  # by which evaluators find the truth


def test_files_of_a_data_set_are_found_where_they_lie(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(VOC_MMSEG.grow(tmp_path)))
    path = tmp_path / "few.yaml"
    path.write_text("dataset: voc12\nclasses: [cat, tvmonitor]\nunseen: [cat]\ntrain: train_aug\nevaluate: val\n")
    train, _ = register(str(path))
    record = DatasetCatalog.get(train)[1]
    assert record["file_name"].endswith("JPEGImages/2007_02.jpg") and record["image_id"] == "2007_02"
    assert mapped(record, is_train=True)["sem_seg"].unique().tolist() == [0, 255]  # 20 on disk, and void


def test_absent_data_are_told_in_one_line_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(FileNotFoundError, match=r"data set 'voc12' lies in files, and no folder is given"):
        DatasetCatalog.get("chimera_voc12_val")


@pytest.mark.parametrize("address", ["toybox/test/labels/x.png", "toybox/nowhere/labels/1.png", "labels/1.png"])
def test_an_address_of_nothing_is_no_file(address: str) -> None:
    assert not PathManager.exists(f"chimera://{address}")
    with pytest.raises(FileNotFoundError, match="no address of a label map"):
        PathManager.open(f"chimera://{address}", "rb")


def test_nothing_can_be_written_to_an_address() -> None:
    with pytest.raises(ValueError, match="opened with mode 'wb', expected 'rb'"):
        PathManager.open("chimera://toybox/test/labels/1.png", "wb")


def test_two_splits_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="a split named 'toybox' is registered already"):
        register_split("toybox")
