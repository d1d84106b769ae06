"""Tests of the comparison of data loading with bare decoding and the pipelines of other frameworks."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.cli.loading_peers import make_peers
from benchmark.core.protocol import Protocol, RatioRange, TrainTransform
from benchmark.core.split import Split
from benchmark.profiling import data_loading
from benchmark.profiling.data_loading import BARE, OURS, LoadingSpeed, decode_bare, measure_loading_speed
from benchmark.utils.optional_packages import require_detectron2
from tests.data.trees import VOC_MMSEG, open_tree, save_image, save_mask, with_image_counts

RULES = TrainTransform(
    resize=RatioRange(short_side=40, long_side=160, low=0.5, high=2.0), crop=32, largest_share=0.75, color="photometric"
)
SPLIT = Split(
    name="voc", dataset="voc12", classes=("cat", "tvmonitor"), unseen=("cat",), train="train_aug", evaluate="val"
)


def save_pair(folder: Path) -> tuple[Path, Path]:
    labels = np.arange(50 * 60).reshape(50, 60) // 1000
    return save_image(folder / "a.jpg", size=(50, 60)), save_mask(folder / "a.png", labels)


def test_all_pipelines_read_the_same_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_loading, "ROUNDS", 2)
    dataset = open_tree(with_image_counts("voc12", train=1, train_aug=2, val=1), VOC_MMSEG.create(tmp_path))
    seen: list[str] = []
    peers = {"peer": lambda image, mask, number: seen.append(image.stem + mask.stem)}
    protocol = Protocol(train=RULES)
    speed = measure_loading_speed(dataset, SPLIT, protocol=protocol, images=4, batch_size=2, peers=peers)
    assert {name: len(rates) for name, rates in speed.rates.items()} == {BARE: 2, "peer": 2, OURS: 2}
    assert sorted(seen) == 6 * ["2007_012007_01"] + 6 * ["2007_022007_02"]


def test_ratios_are_those_of_each_round() -> None:
    speed = LoadingSpeed({BARE: (10.0, 20.0, 40.0), OURS: (5.0, 20.0, 10.0)})
    assert speed.compute_ratios(OURS) == (0.5, 1.0, 0.25) and speed.compute_rate(OURS) == 10


def test_bare_decoding_reads_all_pixels(tmp_path: Path) -> None:
    assert decode_bare(*save_pair(tmp_path), 0) == 50 * 60 * 4


def test_the_steps_of_mmsegmentation_give_padded_crops(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    from benchmark.profiling.opencv_pipeline import make_opencv_pipeline

    samples = [make_opencv_pipeline(RULES)(*save_pair(tmp_path), number) for number in range(24)]
    assert all(image.shape == (3, 32, 32) and image.dtype is torch.uint8 for image, _ in samples)
    assert {int(label) for _, labels in samples for label in labels.unique()} == {0, 1, 2, 255}


@pytest.mark.slow
def test_the_mapper_of_detectron2_gives_padded_crops(tmp_path: Path) -> None:
    try:
        require_detectron2()
    except ValueError as error:
        pytest.skip(str(error))
    from benchmark.d2.mapper_speed import make_mapper_pipeline

    samples = [make_mapper_pipeline(RULES)(*save_pair(tmp_path), number) for number in range(24)]
    assert all(image.shape == (3, 32, 32) for image, _ in samples)
    assert {int(label) for _, labels in samples for label in labels.unique()} == {0, 1, 2, 255}


def test_a_line_says_which_framework_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr("benchmark.utils.optional_packages.find_spec", lambda name: None)
    assert make_peers(RULES) == {}
    lines = capsys.readouterr().err.splitlines()
    assert "mmsegmentation's steps skipped: import of cv2" in lines[0] and "Detectron2 is not installed" in lines[1]
