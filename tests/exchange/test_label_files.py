"""Tests of written label maps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.core.split import Split
from benchmark.exchange.class_ids import make_class_ids
from benchmark.exchange.label_files import LabelWriter, find_labels_folder
from benchmark.exchange.label_folder import LabelFolder
from tests.report.world import spec_of

FEW = Split(name="few", dataset="d", classes=("a", "b"), unseen=("b",))
MANY = Split(name="many", dataset="d", classes=tuple(f"c{index}" for index in range(300)), unseen=())
COLORS = np.array([[128, 0, 0], [0, 128, 0]], dtype=np.uint8)


def test_many_classes_are_written_with_16_bits(tmp_path: Path) -> None:
    writer = LabelWriter(tmp_path, spec_of(), MANY)
    writer.begin(["x"])
    path = writer.write("x", np.array([[0, 255, 299]]))
    ids = make_class_ids(str(writer.names_path), classes=MANY.classes, dataset_classes=MANY.classes)
    with Image.open(path) as image:
        assert image.mode == "I;16"
    assert json.loads(writer.names_path.read_text())["no_class"] == 65535
    assert LabelFolder(path.parent, ids).read("x", (1, 3)).tolist() == [[0, 255, 299]]


def test_a_palette_has_the_colors_and_keeps_the_ids(tmp_path: Path) -> None:
    writer = LabelWriter(tmp_path, spec_of(), FEW, COLORS)
    writer.begin(["x"])
    with Image.open(writer.write("x", np.array([[1, 0]]))) as image:
        assert np.array(image).tolist() == [[1, 0]]
        assert np.array(image.convert("RGB")).tolist() == [[[0, 128, 0], [128, 0, 0]]]
    assert json.loads(writer.names_path.read_text())["colors"] == {"#800000": "a", "#008000": "b"}


def test_a_palette_of_too_many_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a palette has 255 colors, and there are 300 classes: write ids"):
        LabelWriter(tmp_path, spec_of(), MANY, np.zeros((300, 3), dtype=np.uint8)).begin([])


def test_a_folder_belongs_to_one_run(tmp_path: Path) -> None:
    LabelWriter(tmp_path, spec_of(), FEW).begin(["x"])
    LabelWriter(tmp_path, spec_of(), FEW).begin(["x"])
    with pytest.raises(ValueError, match="holds predictions of demo-paper"):
        LabelWriter(tmp_path, spec_of("no SGD"), FEW).begin(["x"])


@pytest.mark.parametrize(("palette", "images"), [(COLORS, ["x"]), (None, ["x", "y"]), (None, ["y"])])
def test_other_options_do_not_mix_with_the_first_ones(
    tmp_path: Path, palette: np.ndarray | None, images: list[str]
) -> None:
    writer = LabelWriter(tmp_path, spec_of(), FEW)
    writer.begin(["x"])
    before = writer.names_path.read_bytes()
    with pytest.raises(ValueError, match=r"predictions of this run with other options \(--format ids, 1 images\)"):
        LabelWriter(tmp_path, spec_of(), FEW, palette).begin(images)
    assert writer.names_path.read_bytes() == before


def test_overlays_without_label_maps_are_other_files(tmp_path: Path) -> None:
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "x.png").write_bytes(b"mine")
    with pytest.raises(ValueError, match="overlays holds other files"):
        LabelWriter(tmp_path, spec_of(), FEW).begin(["x"])


def test_the_folder_of_predictions_stands_for_its_label_maps(tmp_path: Path) -> None:
    LabelWriter(tmp_path, spec_of(), FEW).begin(["x"])
    assert find_labels_folder(tmp_path) == tmp_path / "labels" == find_labels_folder(tmp_path / "labels")
