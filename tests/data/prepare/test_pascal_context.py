"""PASCAL Context, converted from the official annotation and from PASCAL in Detail."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import loadmat, savemat

from benchmark.data.folders.check import check_dataset
from benchmark.data.folders.dataset_spec import DatasetSpec, load_dataset_spec
from benchmark.data.prepare.detail import read_detail
from benchmark.data.prepare.pascal_context import OFFICIAL_IDS
from benchmark.data.prepare.rle import decode_rle
from benchmark.data.prepare.run import prepare
from tests.data.prepare.originals import CONTEXT, read_pixels, write_context, write_detail

NAMES = [name for names in CONTEXT.values() for name in names]
MASKS = "SegmentationClassContext"


def load_tiny_spec(name: str, *, train: int, val: int) -> DatasetSpec:
    return load_dataset_spec(name).model_copy(update={"image_counts": {"train": train, "val": val}})


def map_ids(ids: NDArray[np.integer]) -> list[list[int]]:
    """Map official ids to mask values, pixel by pixel."""
    return [[OFFICIAL_IDS.index(value) + 1 if value in OFFICIAL_IDS else 0 for value in row] for row in ids.tolist()]


def test_the_459_classes_become_59_and_background(tmp_path: Path) -> None:
    root = write_context(tmp_path / "raw")
    outcome = prepare("pascal_context", root=root, out=tmp_path / "out")
    assert (outcome.made, outcome.kept, outcome.broken) == (3, 0, ())
    for name in NAMES:
        ids = loadmat(root / "VOC2010" / "trainval" / f"{name}.mat")["LabelMap"]
        assert read_pixels(tmp_path / "out" / MASKS / f"{name}.png").tolist() == map_ids(ids)


def test_official_ids_belong_to_the_classes_of_the_dataset() -> None:
    by_name = dict(zip(load_dataset_spec("pascal_context").classes[1:], OFFICIAL_IDS, strict=True))
    known = {"aeroplane": 2, "bag": 9, "bed": 18, "bedclothes": 19, "bicycle": 23, "person": 284, "tree": 420}
    assert {name: by_name[name] for name in known} == known


@pytest.mark.parametrize("lists", ["ImageSets/Main", "ImageSets/SegmentationContext"])
def test_the_converted_dataset_passes_the_check(tmp_path: Path, lists: str) -> None:
    prepare("pascal_context", root=write_context(tmp_path / "raw", lists=lists), out=tmp_path / "out")
    report = check_dataset(load_tiny_spec("pascal_context", train=2, val=1), [tmp_path / "out"], full=True)
    assert report is not None and report.problems == ()
    assert {subset.subset: subset.images for subset in report.subsets} == {"train": 2, "val": 1}


def test_a_broken_annotation_is_named_and_the_rest_is_converted_but_not_listed(tmp_path: Path) -> None:
    root = write_context(tmp_path / "raw")
    broken = [root / "VOC2010" / "trainval" / f"{name}.mat" for name in NAMES[:2]]
    broken[0].write_bytes(broken[0].read_bytes()[:150])
    broken[1].unlink()
    outcome = prepare("pascal_context", root=root, out=tmp_path / "out")
    assert len(outcome.broken) == 2 and outcome.made == 1
    assert str(broken[0]) in outcome.broken[0] and outcome.broken[1] == f"{broken[1]} is missing"
    assert not (tmp_path / "out" / "ImageSets").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"LabelMap": np.full((5, 7), 460)}, r"has values \[460\], expected 0 to 459"),
        ({"LabelMap": np.full((5, 6), 2)}, r"has size \(5, 6\) but its image .* has \(5, 7\)"),
        ({"LabelMap": np.full((5, 7), 2.5)}, "fractional numbers"),
        ({"labelmap": np.full((5, 7), 2)}, "has no matrix 'LabelMap'"),
    ],
)
def test_invalid_annotations_are_named(tmp_path: Path, content: dict[str, object], message: str) -> None:
    root = write_context(tmp_path / "raw")
    path = root / "VOC2010" / "trainval" / f"{NAMES[0]}.mat"
    savemat(path, content)
    (line,) = prepare("pascal_context", root=root, out=tmp_path / "out").broken
    assert line.startswith(str(path))
    assert re.search(message, line)


COCO_API = (
    ("031O0O20N0140L", ["110011", "110110", "100010", "011011"]),
    ("06", ["11", "11", "11"]),
    ("6", ["00", "00", "00"]),
)
"""Codes of the COCO API's encoder, and the encoded masks."""


@pytest.mark.parametrize(("counts", "rows"), COCO_API)
def test_run_lengths_are_decoded_as_in_the_coco_api(counts: str, rows: list[str]) -> None:
    mask = decode_rle(counts, len(rows), len(rows[0]))
    assert ["".join(map(str, row)) for row in mask.astype(int).tolist()] == rows


def test_long_runs_use_several_characters() -> None:
    expected = np.zeros((40, 50), dtype=bool)
    expected[5:35, 10:45] = True
    assert np.array_equal(decode_rle("e<n0:" + "0" * 67 + "S6", 40, 50), expected)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("", "its runs cover 0 pixels, expected 3 x 2"),
        ("5", "its runs cover 5 pixels"),
        ("0!", "invalid character '!'"),
        ("0V", "end in the middle"),
        ("8N", "expected 3 x 2"),
    ],
)
def test_a_broken_run_length_code_is_an_error(counts: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_rle(counts, 3, 2)


def test_regions_of_detail_are_painted_in_the_order_of_the_file(tmp_path: Path) -> None:
    whole, right = "06", "33"
    root = write_detail(tmp_path / "raw", {NAMES[0]: [(2, whole), (458, right)], NAMES[2]: [(1, whole)]}, size=(3, 2))
    outcome = prepare("pascal_context_detail", root=root, out=tmp_path / "out")
    assert (outcome.made, outcome.broken) == (3, ())
    first, second, third = (read_pixels(tmp_path / "out" / MASKS / f"{name}.png").tolist() for name in NAMES)
    assert first == [[1, 59]] * 3 and second == [[0, 0]] * 3 and third == [[0, 0]] * 3


def test_images_of_detail_are_listed_by_phase(tmp_path: Path) -> None:
    prepare("pascal_context_detail", root=write_detail(tmp_path / "raw", {}, size=(3, 2)), out=tmp_path / "out")
    lists = tmp_path / "out" / "ImageSets" / "SegmentationContext"
    assert {path.stem: tuple(path.read_text().split()) for path in lists.iterdir()} == CONTEXT


def test_the_dataset_converted_from_detail_passes_the_check(tmp_path: Path) -> None:
    root = write_detail(tmp_path / "raw", {NAMES[0]: [(2, "06")]}, size=(3, 2))
    prepare("pascal_context_detail", root=root, out=tmp_path / "out")
    report = check_dataset(load_tiny_spec("pascal_context", train=2, val=1), [tmp_path / "out"], full=True)
    assert report is not None and report.problems == ()


def test_a_broken_region_is_named_with_its_image(tmp_path: Path) -> None:
    root = write_detail(tmp_path / "raw", {NAMES[0]: [(2, "05")], NAMES[1]: [(500, "06")]}, size=(3, 2))
    outcome = prepare("pascal_context_detail", root=root, out=tmp_path / "out")
    assert outcome.made == 1 and len(outcome.broken) == 2
    assert f"image {NAMES[0]}, a region of class 2: its runs cover 5 pixels" in outcome.broken[0]
    assert f"image {NAMES[1]} has values [500]" in outcome.broken[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"images"', "is broken"), ('{"images": []}', "missing or invalid field 'annos_segmentation'")],
)
def test_another_file_is_not_mistaken_for_detail(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "trainval_merged.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_detail(tmp_path / "trainval_merged.json")


def test_missing_originals_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found no ImageSets/SegmentationContext and no ImageSets/Main in"):
        prepare("pascal_context", root=tmp_path, out=tmp_path / "out")
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"found no .mat file in .*unpack the official annotations"):
        prepare("pascal_context", root=tmp_path, out=tmp_path / "out")
    with pytest.raises(ValueError, match=r"found no trainval_merged.json in"):
        prepare("pascal_context_detail", root=tmp_path, out=tmp_path / "out")
