"""Tests of Detectron2's file of masks, written here by an encoder of our own and, if it is there, by COCO's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.exchange.class_ids import NO_CLASS, make_class_ids
from benchmark.exchange.import_labels import import_labels
from benchmark.exchange.sem_seg_json import SemSegJson
from benchmark.store.store import Store
from tests.exchange.worlds import CLASSES, add_tiny, make_labels, make_request, write_labels

IDS = make_class_ids("classes", classes=CLASSES, dataset_classes=CLASSES)


def encode_runs(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the uncompressed code of a mask: lengths of runs along the columns, beginning with zeros."""
    flat = mask.T.ravel().astype(int)
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *ends, len(flat)]).tolist()
    return {"size": list(mask.shape), "counts": ([0] if flat[0] else []) + runs}


def make_entries(labels: dict[str, NDArray[np.uint8]]) -> list[dict[str, Any]]:
    return [
        {"file_name": f"/data/{name}.jpg", "category_id": int(k), "segmentation": encode_runs(ids == k)}
        for name, ids in labels.items()
        for k in np.unique(ids)
    ]


def write_entries(path: Path, entries: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries))
    return path


def test_masks_and_label_maps_of_equal_predictions_are_one_import(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    split, store, labels = add_tiny(monkeypatch, tmp_path), Store(tmp_path / "runs"), make_labels()
    import_labels(make_request(write_labels(tmp_path / "p", labels), split), store=store)
    write_entries(tmp_path / "q" / "sem_seg_predictions.json", make_entries(labels))
    assert not import_labels(make_request(tmp_path / "q", split), store=store).is_new


def test_codes_of_the_coco_api_are_read(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    mask = np.random.default_rng(0).random((9, 13)) < 0.4
    code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    entry = {
        "file_name": "a.jpg",
        "category_id": 2,
        "segmentation": {"size": [9, 13], "counts": code["counts"].decode()},
    }
    labels = SemSegJson(write_entries(tmp_path / "x.json", [entry]), IDS).read("a", (9, 13))
    assert (labels == np.where(mask, 2, NO_CLASS)).all()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"category_id": 9}, "image 'a': has the ids 9, which have no meaning"),
        ({"segmentation": encode_runs(np.ones((2, 2), bool))}, r"a mask has 2 x 2 pixels .*its target 2 x 3"),
        ({"segmentation": {"size": [2, 3], "counts": [1, 9]}}, "a mask is broken: its runs cover 10 pixels"),
        ({"segmentation": "x"}, "no run-length code"),
    ],
)
def test_a_mask_that_does_not_fit_is_named(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    good = {"file_name": "a.jpg", "category_id": 0, "segmentation": encode_runs(np.eye(2, 3) > 0)}
    source = SemSegJson(write_entries(tmp_path / "x.json", [good | entry]), IDS)
    with pytest.raises(ValueError, match=message):
        source.read("a", (2, 3))


def test_pixels_in_two_masks_are_refused(tmp_path: Path) -> None:
    entries = make_entries({"a": np.zeros((2, 3), dtype=np.uint8)})
    source = SemSegJson(write_entries(tmp_path / "x.json", entries + entries), IDS)
    with pytest.raises(ValueError, match="6 pixels are in two masks"):
        source.read("a", (2, 3))


@pytest.mark.parametrize("text", ["{", "[]", '[{"file_name": "a"}]'])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"expected a list of file_name, category_id and segmentation"):
        SemSegJson(tmp_path / "x.json", IDS)
