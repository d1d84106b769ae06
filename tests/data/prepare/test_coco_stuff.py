"""COCO-Stuff, converted to contiguous ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.data.folders.check import check_dataset
from benchmark.data.folders.dataset_spec import load_dataset_spec
from benchmark.data.prepare.run import prepare
from tests.data.prepare.originals import COCO, read_pixels, write_coco, write_image

ABSENT = {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90}


def map_value(value: int) -> int:
    """Map a raw value to its contiguous id by counting the absent ids below."""
    return 255 if value == 255 else value - len([absent for absent in ABSENT if absent < value])


@pytest.mark.parametrize(
    ("layout", "pattern"),
    [
        ("mmseg", "annotations/{}/{}_labelTrainIds.png"),
        ("detectron2", "stuffthingmaps_detectron2/{}/{}.png"),
    ],
)
def test_values_are_renumbered_without_gaps(tmp_path: Path, layout: str, pattern: str) -> None:
    root = write_coco(tmp_path / "raw")
    outcome = prepare("coco_stuff164k", root=root, out=tmp_path / "out", layout=layout)
    assert (outcome.made, outcome.broken) == (3, ())
    for subset, names in COCO.items():
        for name in names:
            raw = read_pixels(root / "stuffthingmaps" / subset / f"{name}.png").tolist()
            expected = [[map_value(value) for value in row] for row in raw]
            assert read_pixels(tmp_path / "out" / pattern.format(subset, name)).tolist() == expected


def test_every_value_is_mapped_to_the_label_of_its_class(tmp_path: Path) -> None:
    values = np.array([sorted({*range(182), 255} - ABSENT)], dtype=np.uint8)
    write_image(tmp_path / "raw" / "stuffthingmaps" / "val2017" / "a.png", values)
    prepare("coco_stuff164k", root=tmp_path / "raw", out=tmp_path / "out")
    mask = read_pixels(tmp_path / "out" / "annotations" / "val2017" / "a_labelTrainIds.png")
    assert mask.tolist() == [[*range(171), 255]]


@pytest.mark.parametrize("layout", ["mmseg", "detectron2"])
@pytest.mark.parametrize(
    ("below", "images", "masks"),
    [
        (".", "", "stuffthingmaps"),
        ("coco", "", "stuffthingmaps"),
        (".", "images", "annotations"),
        ("coco_stuff164k", "images", "annotations"),
    ],
)
def test_raw_masks_are_found_in_every_layout_and_the_result_passes_the_check(
    tmp_path: Path, layout: str, below: str, images: str, masks: str
) -> None:
    write_coco(tmp_path / "raw" / below, images=images, masks=masks)
    prepare("coco_stuff164k", root=tmp_path / "raw", out=tmp_path / "out", layout=layout)
    spec = load_dataset_spec("coco_stuff164k").model_copy(update={"image_counts": {"train": 2, "val": 1}})
    report = check_dataset(spec, [tmp_path / "out"], full=True)
    assert report is not None and report.problems == ()
    assert report.layout == {"mmseg": "mmseg", "detectron2": "detectron2_converted"}[layout]


def test_converted_masks_are_not_mistaken_for_raw_ones(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "raw", images="images", masks="annotations")
    write_image(root / "annotations" / "val2017" / "000000000139_labelTrainIds.png", np.zeros((4, 6), np.uint8))
    assert prepare("coco_stuff164k", root=root, out=tmp_path / "out").made == 3


def test_all_illegal_values_and_wrong_types_are_named(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "raw")
    folder = root / "stuffthingmaps" / "train2017"
    write_image(folder / "000000000009.png", np.full((4, 6), 11, np.uint8))
    write_image(folder / "000000000025.png", np.full((4, 6), 7, np.uint16))
    first, second = prepare("coco_stuff164k", root=root, out=tmp_path / "out").broken
    assert first.startswith(f"{folder / '000000000009.png'} has values [11], expected 0 to 181 without 11, 25")
    assert second.startswith(f"{folder / '000000000025.png'} has 16 bits per pixel")


def test_missing_masks_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"found no annotations/train2017 .* no stuffthingmaps/val2017"):
        prepare("coco_stuff164k", root=tmp_path, out=tmp_path / "out")


def test_an_empty_folder_of_masks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "stuffthingmaps" / "train2017").mkdir(parents=True)
    with pytest.raises(ValueError, match="has nothing to convert"):
        prepare("coco_stuff164k", root=tmp_path, out=tmp_path / "out")
