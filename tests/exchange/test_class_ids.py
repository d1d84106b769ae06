"""Tests of the ways in which the ids of label maps are read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmark.exchange.class_ids import NO_CLASS, ClassIds, make_class_ids

CLASSES = ("owl", "tv monitor", "cat")
DATASET = ("background", "cat", "dog", "owl", "tv monitor")


def make(rule: str) -> ClassIds:
    return make_class_ids(rule, classes=CLASSES, dataset_classes=DATASET)


def read(rule: str, ids: list[int], *, dtype: str = "u1") -> list[int]:
    return make(rule).read(np.array([ids], dtype=dtype), "a.png")[0].tolist()


def write(path: Path, value: object) -> str:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def test_rules_without_a_file() -> None:
    assert read("classes", [0, 1, 2, 255]) == [0, 1, 2, NO_CLASS]
    assert read("classes+1", [0, 1, 2, 3, 255]) == [NO_CLASS, 0, 1, 2, NO_CLASS]
    assert read("dataset", [0, 1, 2, 3, 4, 255]) == [NO_CLASS, 2, NO_CLASS, 0, 1, NO_CLASS]
    assert read("2,0,1", [0, 1, 2, 255]) == [2, 0, 1, NO_CLASS]


@pytest.mark.parametrize(
    "value",
    [
        {"10": "cat", "20": "owl", "30": "tvmonitor", "40": None},
        {"cat": 10, "owl": 20, "tv_monitor": 30, "background": 40},
        {"classes": {"10": "cat", "20": "Owl", "30": "tv monitor", "40": ""}},
        "10 cat\n20: owl\n30, TV monitor\n40 void\n",
    ],
)
def test_files_of_names_by_id(tmp_path: Path, value: object) -> None:
    path = write(tmp_path / ("names.txt" if isinstance(value, str) else "names.json"), value)
    assert read(path, [10, 20, 30, 40, 255]) == [2, 0, 1, NO_CLASS, NO_CLASS]


@pytest.mark.parametrize("value", [["cat", "owl", "tvmonitor"], "cat\nowl\ntvmonitor\n"])
def test_files_of_names_in_order(tmp_path: Path, value: object) -> None:
    path = write(tmp_path / ("names.txt" if isinstance(value, str) else "names.json"), value)
    assert read(path, [0, 1, 2]) == [2, 0, 1]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('{"0": "cat", "0": "owl"}', "the key '0' is given twice"),
        ('{"cat": 0, "owl": 0}', "the id 0 is given twice"),
        ('{"x": "cat"}', "'x' is no id"),
        ("[]", "names|no id stands"),
        ("nonsense", "does not name classes"),
        ('{"0": "catt"}', "id 0 in the names in n.json: no class 'catt'; did you mean 'cat'"),
        ('{"0": null}', "no id stands for a class of the split"),
    ],
)
def test_a_file_that_names_no_classes_is_refused(tmp_path: Path, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(write(tmp_path / "n.json", value))


def test_what_a_file_of_names_leaves_out_is_said(tmp_path: Path) -> None:
    ids = make(write(tmp_path / "n.json", {"0": "cat", "1": "dog", "2": "cat"}))
    assert ids.remarks[0] == "no id stands for owl, tv monitor: never predicted"
    assert ids.remarks[1].startswith("no class of the split: dog;") and ids.remarks[2] == "several ids are read as cat"


def test_colors_are_ids_of_24_bits(tmp_path: Path) -> None:
    ids = make(write(tmp_path / "n.json", {"#800000": "owl", "#000080": "cat", "#000000": None}))
    assert ids.is_by_color
    assert ids.read(np.array([[0x800000, 0x80, 0]], dtype=np.int32), "a.png").tolist() == [[0, 2, NO_CLASS]]
    with pytest.raises(ValueError, match=r"a\.png has the colors #123456, which have no meaning"):
        ids.read(np.array([[0x123456]], dtype=np.int32), "a.png")


def test_wide_label_maps_may_use_either_number_for_no_class() -> None:
    assert read("classes", [0, 255, 65535], dtype="u2") == [0, NO_CLASS, NO_CLASS]


def test_255_in_8_bits_is_ambiguous_among_more_classes() -> None:
    names = tuple(f"c{index}" for index in range(300))
    ids = make_class_ids("classes", classes=names, dataset_classes=names)
    assert ids.read(np.array([[255, 299, 65535]], dtype=np.uint16), "a.png").tolist() == [[255, 299, NO_CLASS]]
    with pytest.raises(ValueError, match="255 could be no class or 'c255': write label maps of 16 bits"):
        ids.read(np.array([[255]], dtype=np.uint8), "a.png")


@pytest.mark.parametrize("rule", ["0,1", "0,1,1", "0,1,3"])
def test_a_permutation_names_every_class_once(rule: str) -> None:
    with pytest.raises(ValueError, match="is no permutation of the 3 classes: give each of 0 to 2 once"):
        make(rule)


def test_an_unknown_rule_is_answered_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"no rule for ids 'clases'; did you mean 'classes'"):
        make("clases")
    with pytest.raises(KeyError, match="no file of class names"):
        make("nowhere.json")
