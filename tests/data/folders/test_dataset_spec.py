"""Descriptions of real datasets, compared with the published tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmark.core.types import get_ignore_label
from benchmark.data.folders.dataset_spec import (
    UNDEFINED,
    DatasetLayout,
    ImageSource,
    MaskEncoding,
    list_dataset_specs,
    load_dataset_spec,
)

SHARED = Path(__file__).resolve().parents[4] / "shared" / "splits"
NAMES = list_dataset_specs()


def load_published(name: str) -> dict[str, Any]:
    path = SHARED / f"{name}.yaml"
    if not path.is_file():
        pytest.skip("needs the published tables in ../shared")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def decode_value(name: str, encoding: str, value: int, *, bits: int = 8) -> str | int:
    """Return the class of a mask value, or its label if it stands for no class."""
    spec = load_dataset_spec(name)
    label = int(spec.mask_encodings[encoding].build_table(2**bits)[value])
    return spec.classes[label] if 0 <= label < len(spec.classes) else label


def test_five_datasets_are_described() -> None:
    assert NAMES == ["ade20k_150", "ade20k_847", "coco_stuff164k", "pascal_context", "voc12"]


@pytest.mark.parametrize("name", NAMES)
def test_the_classes_are_the_published_ones_in_their_order(name: str) -> None:
    classes = [label for label in load_dataset_spec(name).classes if label != "background"]
    assert classes == [label.strip() for label in load_published(name)["classes"]]  # "window " has a trailing space


@pytest.mark.parametrize("name", ["voc12", "pascal_context"])
def test_background_is_the_first_class_if_masks_label_it(name: str) -> None:
    assert load_dataset_spec(name).classes[0] == "background"


@pytest.mark.parametrize(("name", "encoding"), [("voc12", "without_background"), ("coco_stuff164k", "raw")])
def test_raw_values_match_the_published_map(name: str, encoding: str) -> None:
    spec, facts = load_dataset_spec(name), load_published(name)
    foreground = [label for label in spec.classes if label != "background"]
    raw = facts["raw_id_to_train_id"]
    table = spec.mask_encodings["raw"].build_table(256)
    assert all(spec.classes[table[value]] == foreground[label] for value, label in raw.items() if label != 255)
    assert set(spec.mask_encodings[encoding].build_table(256)) <= {UNDEFINED, 255, *range(len(spec.classes))}
    assert table[255] == raw[255] == 255


def test_coco_values_that_never_occur_are_undefined() -> None:
    absent = load_published("coco_stuff164k")["raw_ids_absent"]
    table = load_dataset_spec("coco_stuff164k").mask_encodings["raw"].build_table(256)
    assert 11 in absent and np.flatnonzero(table == UNDEFINED).tolist() == [*absent, *range(182, 255)]


def test_unseen_raw_values_of_coco_are_the_unseen_classes() -> None:
    facts = load_published("coco_stuff164k")
    names = [decode_value("coco_stuff164k", "raw", value) for value in facts["unseen_raw_ids"]]
    assert names == facts["unseen"] and len(names) == 15


@pytest.mark.parametrize(
    ("name", "encoding", "value", "expected"),
    [
        ("voc12", "raw", 0, "background"),
        ("voc12", "raw", 20, "tvmonitor"),
        ("voc12", "raw", 21, UNDEFINED),
        ("voc12", "raw", 255, 255),
        ("voc12", "without_background", 0, "aeroplane"),
        ("voc12", "without_background", 20, UNDEFINED),
        ("coco_stuff164k", "raw", 255, 255),
        ("coco_stuff164k", "raw", 11, UNDEFINED),
        ("coco_stuff164k", "raw", 12, "stop sign"),
        ("coco_stuff164k", "train_ids", 11, "stop sign"),
        ("coco_stuff164k", "train_ids", 171, UNDEFINED),
        ("pascal_context", "with_background", 0, "background"),
        ("pascal_context", "with_background", 1, "aeroplane"),
        # otherwise masks without background would be read with shifted classes
        ("pascal_context", "with_background", 255, UNDEFINED),
        ("pascal_context", "without_background", 0, "aeroplane"),
        ("pascal_context", "without_background", 255, 255),
        ("ade20k_150", "raw", 0, 255),
        ("ade20k_150", "raw", 150, "flag"),
        ("ade20k_150", "raw", 255, UNDEFINED),
        ("ade20k_150", "train_ids", 0, "wall"),
    ],
)
def test_a_mask_value_has_its_meaning(name: str, encoding: str, value: int, expected: str | int) -> None:
    assert decode_value(name, encoding, value) == expected


def test_16_bit_masks_ignore_their_highest_value() -> None:
    spec = load_dataset_spec("ade20k_847")
    assert spec.ignore == 65535 == spec.mask_encodings["train_ids"].build_table(2**16)[65535]
    assert decode_value("ade20k_847", "train_ids", 255, bits=16) == spec.classes[255]
    assert decode_value("ade20k_847", "train_ids", 847, bits=16) == UNDEFINED
    assert list(spec.raw_ade_index) == load_published("ade20k_847")["raw_ade_index"]


@pytest.mark.parametrize(
    ("name", "subset", "fact"),
    [
        ("voc12", "train", "train_official"),
        ("voc12", "train_aug", "train_aug"),
        ("voc12", "val", "val"),
        ("coco_stuff164k", "train", "train2017"),
        ("coco_stuff164k", "val", "val2017"),
        ("pascal_context", "train", "train"),
        ("pascal_context", "val", "val"),
        ("ade20k_150", "train", "train"),
        ("ade20k_847", "val", "val"),
    ],
)
def test_subsets_have_the_published_image_counts(name: str, subset: str, fact: str) -> None:
    assert load_dataset_spec(name).image_counts[subset] == load_published(name)["images"][fact]


@pytest.mark.parametrize(("classes", "label"), [(1, 255), (171, 255), (255, 255), (256, 65535), (847, 65535)])
def test_the_ignore_label_is_no_class(classes: int, label: int) -> None:
    assert get_ignore_label(classes) == label >= classes


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        (MaskEncoding(classes=3, ignored=(255,)), "0 to 2, and 255 for ignore"),
        (MaskEncoding(classes=3, values={0: 0, 2: 1, 5: 2}), "0 to 5 without 1, 3, 4"),
        (MaskEncoding(classes=3, offset=1, ignored=(0, 255)), "1 to 3, and 0 or 255 for ignore"),
    ],
)
def test_legal_values_are_described(encoding: MaskEncoding, text: str) -> None:
    assert encoding.describe_values() == text


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"offset": 0, "ignored": (1,)}, "both ignored and a class"), ({"values": {0: 2}}, "there are only 2 classes")],
)
def test_a_contradictory_encoding_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskEncoding(classes=2, **fields)


@pytest.mark.parametrize("pattern", ["images/x.jpg", "{}/x.jpg", "{}_{}.jpg"])
def test_a_pattern_without_exactly_one_id_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        ImageSource(images=pattern, masks=("a/{}.png",), encoding="raw")


def test_an_unknown_dataset_is_answered_with_the_closest() -> None:
    with pytest.raises(KeyError, match="no dataset 'voc'; did you mean 'voc12'"):
        load_dataset_spec("voc")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: [a", "is not a valid dataset description: line 1: the \\[ here is not closed"),
        ("title: A", "is not a valid dataset description: classes is missing"),
        (
            "{title: A, classes: [a], download: x, image_counts: {train: 1}, mask_encodings: {raw: {}}, "
            "layouts: {l: {roots: [.], subsets: "
            "{trian: [{images: '{}.jpg', masks: '{}.png', encoding: raw}]}}}}",
            "no subset 'trian'; did you mean 'train'",
        ),
        (
            "{title: A, classes: [a], download: x, image_counts: {train: 1}, mask_encodings: {raw: {}}, "
            "layouts: {l: {roots: [.], subsets: "
            "{train: [{images: '{}.jpg', masks: '{}.png', encoding: rwa}]}}}}",
            "no mask encoding 'rwa'; did you mean 'raw'",
        ),
    ],
)
def test_a_broken_description_is_refused_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_dataset_spec("a", folder=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("counts", "image_counts"),
        ("other_counts", "other_image_counts"),
        ("optional", "optional_subsets"),
        ("ids", "mask_encodings"),
        ("get", "download"),
    ],
)
def test_an_old_key_is_answered_with_its_new_name(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "a.yaml").write_text(f"{{title: A, classes: [a], {old}: {{}}}}")
    with pytest.raises(ValueError, match=f"'{old}' is now called '{new}'"):
        load_dataset_spec("a", folder=tmp_path)


def test_old_keys_of_layouts_and_sources_are_answered_with_their_new_names() -> None:
    with pytest.raises(ValueError, match="'parts' is now called 'subsets'"):
        DatasetLayout.model_validate({"roots": ["."], "parts": {}})
    for old, new in (("ids", "encoding"), ("listed", "list_file")):
        with pytest.raises(ValueError, match=f"'{old}' is now called '{new}'"):
            ImageSource.model_validate({"images": "{}.jpg", "masks": "{}.png", old: "x"})
