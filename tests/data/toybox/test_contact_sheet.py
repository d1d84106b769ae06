"""The contact sheet of the toybox."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from benchmark.core.split import Split
from benchmark.data.toybox.canvas import SIZE
from benchmark.data.toybox.contact_sheet import EXAMPLES, cut_examples, write_contact_sheet

SPLIT = Split(name="few", dataset="toybox", classes=("gravel", "snow", "fish"), unseen=("fish",))


def test_the_sheet_is_deterministic(tmp_path: Path) -> None:
    first, second = (write_contact_sheet(tmp_path / "new" / name, SPLIT).read_bytes() for name in ("a.png", "b.png"))
    assert first == second


def test_unseen_classes_are_marked(tmp_path: Path) -> None:
    with Image.open(write_contact_sheet(tmp_path / "sheet.png", SPLIT)) as sheet:
        drawn = np.asarray(sheet.convert("RGB")).reshape(-1, 3)
    counts = {color: (drawn == ImageColor.getrgb(color)).all(axis=1).sum() for color in ("#c2410c", "#2f6f9f")}
    assert counts["#c2410c"] >= 2 * 13 * 13 and counts["#2f6f9f"] >= 3 * 13 * 13


def test_every_class_has_its_square_examples() -> None:
    examples = cut_examples(SPLIT.classes)
    assert {name: len(tiles) for name, tiles in examples.items()} == dict.fromkeys(SPLIT.classes, EXAMPLES)
    assert all(tile.shape[0] == tile.shape[1] <= SIZE for tiles in examples.values() for tile in tiles)


def test_a_split_of_another_dataset_is_refused(tmp_path: Path) -> None:
    split = Split(name="voc", dataset="voc", classes=("flsh",), unseen=())
    with pytest.raises(
        ValueError, match="split 'voc' does not belong to the toybox: no class 'flsh'; did you mean 'fish'"
    ):
        write_contact_sheet(tmp_path / "sheet.png", split)
