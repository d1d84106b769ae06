"""Tests of splits as Detectron2 datasets: its mapper and readers see exactly the labels of our loaders."""

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
from benchmark.core.split import list_splits, load_split
from benchmark.core.types import WIDE_IGNORE
from benchmark.d2.catalogs.catalog import SUBSETS, register_split
from benchmark.d2.catalogs.mapper import SplitMapper
from benchmark.data.catalog import DATASETS, open_dataset
from benchmark.data.folders.discovery import DATA_VARIABLE
from benchmark.data.loader import EvalLoader
from tests.d2.numbered import COUNT, Numbered, write_split
from tests.data.trees import VOC_MMSEG

Register = Callable[[str], tuple[str, str]]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    """Function `register_split`, whose effects are undone after the test."""
    before = set(SUBSETS)
    yield register_split
    for name in set(SUBSETS) - before:
        del SUBSETS[name]
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> Numbered:
    dataset = Numbered()
    monkeypatch.setitem(DATASETS, "numbered", lambda: dataset)
    return dataset


def apply_mapper(record: dict[str, Any], *, is_train: bool) -> dict[str, Any]:
    """Apply Detectron2's own mapper to a record."""
    sample: dict[str, Any] = DatasetMapper(is_train, augmentations=[], image_format="RGB")(record)
    return sample


def test_both_subsets_of_every_split_are_registered() -> None:
    splits = [load_split(name) for name in list_splits()]
    expected = {f"chimera_{split.name}_{subset}" for split in splits for subset in (split.train, split.evaluate)}
    assert expected <= set(DatasetCatalog)


def test_training_labels_index_seen_classes_and_unseen_pixels_are_ignored() -> None:
    split, dataset = load_split("toybox"), open_dataset("toybox")
    record = DatasetCatalog.get("chimera_toybox_train")[4]
    names = [dataset.classes[label] for label in range(len(dataset.classes))]
    table = np.array([split.seen.index(name) if name in split.seen else 255 for name in names])
    expected = table[dataset.read("train", 4).labels]
    assert (expected == 255).any()
    assert apply_mapper(record, is_train=True)["sem_seg"].tolist() == expected.tolist()


def test_evaluation_images_and_labels_are_those_of_our_loader() -> None:
    records = DatasetCatalog.get("chimera_toybox_test")
    loader = EvalLoader(open_dataset("toybox"), load_split("toybox"), protocol=Protocol(), max_images=2)
    for record, (sample, target) in zip(records, loader, strict=False):
        theirs = apply_mapper(record, is_train=False)
        assert theirs["image"].equal(sample["image"]) and theirs["sem_seg"].equal(target)
        assert theirs["image_id"] == sample["image_id"]


def test_the_evaluator_reads_the_same_labels_as_the_mapper() -> None:
    path = DatasetCatalog.get("chimera_toybox_test")[1]["sem_seg_file_name"]
    assert load_image_into_numpy_array(path, dtype=int).tolist() == read_image(path, "L")[:, :, 0].tolist()


def test_listing_records_reads_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("benchmark.data.toybox.dataset.ToyBox.read")
    assert len(DatasetCatalog.get("chimera_toybox_train")) == 1600


def test_every_class_has_its_own_color_in_both_subsets() -> None:
    train, test = (MetadataCatalog.get(f"chimera_toybox_{subset}") for subset in ("train", "test"))
    colors = dict(zip(test.stuff_classes, test.stuff_colors, strict=True))
    assert [colors[name] for name in train.stuff_classes] == train.stuff_colors
    assert len(set(colors.values())) == len(load_split("toybox").classes)


def test_metadata_flag_the_seen_classes() -> None:
    metadata = MetadataCatalog.get("chimera_toybox_test")
    assert [name for name, seen in zip(metadata.stuff_classes, metadata.seen, strict=True) if not seen] == list(
        load_split("toybox").unseen
    )
    assert (metadata.split, metadata.ignore_label, metadata.evaluator_type) == ("toybox", 255, "sem_seg")


def test_training_records_are_those_that_the_protocol_selects(
    numbered: Numbered, register: Register, tmp_path: Path
) -> None:
    train, test = register(write_split(tmp_path, unseen=2, protocol="zs3"))  # images 0 and 1 show unseen classes
    assert [record["image_id"] for record in DatasetCatalog.get(train)] == ["train-2"]
    assert len(DatasetCatalog.get(test)) == 3


def test_labels_of_16_bits_are_read_by_the_evaluator(numbered: Numbered, register: Register, tmp_path: Path) -> None:
    _, test = register(write_split(tmp_path, classes=299))
    path = DatasetCatalog.get(test)[0]["sem_seg_file_name"]
    assert load_image_into_numpy_array(path, dtype=int)[0].tolist() == [0] + [WIDE_IGNORE] * 4


def test_a_mapper_that_would_truncate_labels_to_8_bits_gets_none(
    numbered: Numbered, register: Register, tmp_path: Path
) -> None:
    train, _ = register(write_split(tmp_path))
    assert "sem_seg" not in apply_mapper(DatasetCatalog.get(train)[2], is_train=True)


def test_our_mapper_supports_labels_of_more_than_8_bits(numbered: Numbered, register: Register, tmp_path: Path) -> None:
    train, _ = register(write_split(tmp_path))
    sample = SplitMapper(train)(DatasetCatalog.get(train)[2])
    assert set(sample["sem_seg"].unique().tolist()) == {2, COUNT - 3}


def test_our_mapper_applies_the_overrides_of_the_protocol() -> None:
    mapper = SplitMapper("chimera_toybox_train", overrides=["protocol.train.crop=48", "sgd.keep_end=0.1"])
    record = DatasetCatalog.get("chimera_toybox_train")[0]
    assert mapper(record)["image"].shape == (3, 48, 48)


@pytest.mark.parametrize(
    ("method", "keys"), [("", set()), ("pacl_sup", set()), ("pacl", {"captions"}), ("clip_es/with CRF", {"tags"})]
)
def test_our_mapper_adds_what_the_supervision_of_the_method_includes(method: str, keys: set[str]) -> None:
    added = set[str]()
    for name in ("chimera_toybox_train", "chimera_toybox_test"):
        added |= SplitMapper(name, method=method)(DatasetCatalog.get(name)[0]).keys() & {"captions", "tags"}
    assert added == keys


def test_our_mapper_draws_from_the_global_generator_of_numpy() -> None:
    mapper, record = SplitMapper("chimera_toybox_train"), DatasetCatalog.get("chimera_toybox_train")[0]

    def map_with_seed(seed: int) -> Any:
        np.random.seed(seed)
        return mapper(record)["image"]

    assert map_with_seed(1).equal(map_with_seed(1)) and not map_with_seed(1).equal(map_with_seed(2))


def test_our_mapper_returns_the_evaluation_samples_of_a_run() -> None:
    record = DatasetCatalog.get("chimera_toybox_test")[1]
    expected, _ = EvalLoader(open_dataset("toybox"), load_split("toybox"), protocol=Protocol()).sample(1)
    sample = SplitMapper("chimera_toybox_test")(record)
    assert sample["image"].equal(expected["image"]) and "sem_seg" not in sample
    assert sample["file_name"] == record["file_name"]  # evaluators find the target by this name


def test_dataset_files_are_read_in_place(register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(VOC_MMSEG.create(tmp_path)))
    path = tmp_path / "few.yaml"
    path.write_text("dataset: voc12\nclasses: [cat, tvmonitor]\nunseen: [cat]\ntrain: train_aug\nevaluate: val\n")
    train, _ = register(str(path))
    record = DatasetCatalog.get(train)[1]
    assert record["file_name"].endswith("JPEGImages/2007_02.jpg") and record["image_id"] == "2007_02"
    assert apply_mapper(record, is_train=True)["sem_seg"].unique().tolist() == [0, 255]  # 20 on disk, and void


def test_a_missing_dataset_is_an_error_when_its_records_are_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(FileNotFoundError, match=r"dataset 'voc12' needs a data folder"):
        DatasetCatalog.get("chimera_voc12_val")


@pytest.mark.parametrize("address", ["toybox/test/labels/x.png", "toybox/nowhere/labels/1.png", "labels/1.png"])
def test_unknown_addresses_are_not_files(address: str) -> None:
    assert not PathManager.exists(f"chimera://{address}")
    with pytest.raises(FileNotFoundError, match="is not the address of a label map"):
        PathManager.open(f"chimera://{address}", "rb")


def test_addresses_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="opened with mode 'wb', expected 'rb'"):
        PathManager.open("chimera://toybox/test/labels/1.png", "wb")


def test_two_splits_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="a split named 'toybox' is registered already"):
        register_split("toybox")
