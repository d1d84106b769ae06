"""The descriptions of real data sets, against what was published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmark.core.types import ignore_label
from benchmark.data.folders.dataset_spec import (
    UNDEFINED,
    DatasetLayout,
    ImageSource,
    MaskEncoding,
    dataset_spec_names,
    load_dataset_spec,
)

SHARED = Path(__file__).resolve().parents[4] / "shared" / "splits"
NAMES = dataset_spec_names()


def published(name: str) -> dict[str, Any]:
    path = SHARED / f"{name}.yaml"
    if not path.is_file():
        pytest.skip("the published tables are not here")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def meaning(name: str, ids: str, value: int, *, bits: int = 8) -> str | int:
    """The class that a mask value stands for, or the label that it gets."""
    info = load_dataset_spec(name)
    label = int(info.mask_encodings[ids].build_table(2**bits)[value])
    return info.classes[label] if 0 <= label < len(info.classes) else label


def test_five_data_sets_are_described() -> None:
    assert NAMES == ["ade20k_150", "ade20k_847", "coco_stuff164k", "pascal_context", "voc12"]


@pytest.mark.parametrize("name", NAMES)
def test_the_classes_are_those_published_in_their_order(name: str) -> None:
    classes = [one for one in load_dataset_spec(name).classes if one != "background"]
    assert classes == [one.strip() for one in published(name)["classes"]]  # "window " has a space too many


@pytest.mark.parametrize("name", ["voc12", "pascal_context"])
def test_background_is_the_first_class_where_masks_label_it(name: str) -> None:
    assert load_dataset_spec(name).classes[0] == "background"


@pytest.mark.parametrize(("name", "ids"), [("voc12", "without_background"), ("coco_stuff164k", "raw")])
def test_raw_values_mean_what_the_published_map_says(name: str, ids: str) -> None:
    info, facts = load_dataset_spec(name), published(name)
    kept = [one for one in info.classes if one != "background"]
    raw = facts["raw_id_to_train_id"]
    table = info.mask_encodings["raw"].build_table(256)
    assert all(info.classes[table[value]] == kept[label] for value, label in raw.items() if label != 255)
    assert set(info.mask_encodings[ids].build_table(256)) <= {UNDEFINED, 255, *range(len(info.classes))}
    assert table[255] == raw[255] == 255


def test_coco_has_no_meaning_for_the_ids_that_never_occur() -> None:
    absent = published("coco_stuff164k")["raw_ids_absent"]
    table = load_dataset_spec("coco_stuff164k").mask_encodings["raw"].build_table(256)
    assert 11 in absent and np.flatnonzero(table == UNDEFINED).tolist() == [*absent, *range(182, 255)]


def test_cocos_unseen_raw_ids_land_on_the_unseen_names() -> None:
    facts = published("coco_stuff164k")
    found = [meaning("coco_stuff164k", "raw", value) for value in facts["unseen_raw_ids"]]
    assert found == facts["unseen"] and len(found) == 15


@pytest.mark.parametrize(
    ("name", "ids", "value", "expected"),
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
        ("pascal_context", "with_background", 255, UNDEFINED),  # or masks numbered from 0 would be read one class off
        ("pascal_context", "without_background", 0, "aeroplane"),
        ("pascal_context", "without_background", 255, 255),
        ("ade20k_150", "raw", 0, 255),
        ("ade20k_150", "raw", 150, "flag"),
        ("ade20k_150", "raw", 255, UNDEFINED),
        ("ade20k_150", "train_ids", 0, "wall"),
    ],
)
def test_a_mask_value_means(name: str, ids: str, value: int, expected: str | int) -> None:
    assert meaning(name, ids, value) == expected


def test_wide_masks_ignore_their_highest_value() -> None:
    info = load_dataset_spec("ade20k_847")
    assert info.ignore == 65535 == info.mask_encodings["train_ids"].build_table(2**16)[65535]
    assert meaning("ade20k_847", "train_ids", 255, bits=16) == info.classes[255]
    assert meaning("ade20k_847", "train_ids", 847, bits=16) == UNDEFINED
    assert list(info.raw_ade_index) == published("ade20k_847")["raw_ade_index"]


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
def test_parts_have_as_many_images_as_published(name: str, subset: str, fact: str) -> None:
    assert load_dataset_spec(name).image_counts[subset] == published(name)["images"][fact]


@pytest.mark.parametrize(("classes", "label"), [(1, 255), (171, 255), (255, 255), (256, 65535), (847, 65535)])
def test_the_label_to_ignore_is_no_class(classes: int, label: int) -> None:
    assert ignore_label(classes) == label >= classes


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (MaskEncoding(classes=3, ignored=(255,)), "0 to 2, and 255 for ignore"),
        (MaskEncoding(classes=3, values={0: 0, 2: 1, 5: 2}), "0 to 5 without 1, 3, 4"),
        (MaskEncoding(classes=3, offset=1, ignored=(0, 255)), "1 to 3, and 0 or 255 for ignore"),
    ],
)
def test_legal_values_are_put_into_words(ids: MaskEncoding, words: str) -> None:
    assert ids.describe_values() == words


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"offset": 0, "ignored": (1,)}, "both ignored and a class"), ({"values": {0: 2}}, "there are only 2")],
)
def test_a_table_that_contradicts_itself_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskEncoding(classes=2, **fields)


@pytest.mark.parametrize("pattern", ["images/x.jpg", "{}/x.jpg", "{}_{}.jpg"])
def test_a_pattern_without_one_place_for_the_id_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        DatasetLayout(roots=(".",), subsets={"train": (ImageSource(images=pattern, masks=("a/{}.png",), ids="raw"),)})


def test_an_unknown_data_set_is_answered_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="no data set 'voc'; did you mean 'voc12'"):
        load_dataset_spec("voc")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: [a", "does not describe a data set: while parsing"),
        ("title: A", "does not describe a data set: classes: Field required"),
        (
            "{title: A, classes: [a], get: x, counts: {train: 1}, ids: {raw: {}}, layouts: {l: {roots: [.], subsets: "
            "{trian: [{images: '{}.jpg', masks: '{}.png', ids: raw}]}}}}",
            "no subset 'trian'; did you mean 'train'",
        ),
        (
            "{title: A, classes: [a], get: x, counts: {train: 1}, ids: {raw: {}}, layouts: {l: {roots: [.], subsets: "
            "{train: [{images: '{}.jpg', masks: '{}.png', ids: rwa}]}}}}",
            "no ids 'rwa'; did you mean 'raw'",
        ),
    ],
)
def test_a_broken_description_says_where(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_dataset_spec("a", folder=tmp_path)
