"""Points of samples: given to methods that are trained with points, and in the pixels of the augmented image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmark.core.method import Supervision
from benchmark.core.protocol import EvalTransform, Protocol, ShortSides, TrainTransform
from benchmark.core.split import load_split
from benchmark.core.types import Sample
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.data.toybox.points import CAMERA
from tests.data.tiny_dataset import PLAIN, SPLIT, Tiny

TOYBOX = load_split("toybox")
CROPS = Protocol(train=TrainTransform(resize=ShortSides(sides=(128,)), crop=96, flip=True, color="none"))


def _load(protocol: Protocol, **options: Any) -> TrainLoader:
    return TrainLoader(open_dataset("toybox"), TOYBOX, protocol=protocol, batch_size=8, seed=0, **options)


def _read_pixels(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Return the gray levels of the points that are visible, and those of their pixels."""
    shown = sample["points_valid"]
    columns, rows = sample["points_uv"][shown].long().unbind(1)
    weights = sample["image"].float().new_tensor([0.299, 0.587, 0.114])
    pixels = (sample["image"].float()[:, rows, columns] * weights[:, None]).sum(dim=0)
    return sample["points"][shown, 3].numpy() * 255, pixels.numpy()


def test_only_the_supervision_points_includes_points() -> None:
    assert [kind.value for kind in Supervision if kind.includes_points] == ["points"]


def test_samples_have_points_only_if_they_are_asked_for() -> None:
    assert "points" not in next(_load(PLAIN).batches(0, 1))[0]
    assert "points" not in EvalLoader(open_dataset("toybox"), TOYBOX, protocol=PLAIN).sample(0)[0]


def test_points_have_the_labels_of_their_pixels_and_no_label_of_an_unseen_class() -> None:
    for sample in next(_load(PLAIN, supervision=Supervision.POINTS).batches(0, 1)):
        columns, rows = sample["points_uv"].long().unbind(1)
        assert sample["points_valid"].all()
        assert sample["point_sem_seg"].equal(sample["sem_seg"][rows, columns])
        assert set(sample["point_sem_seg"].tolist()) <= {*range(len(TOYBOX.seen)), 255}


def test_points_follow_crop_flip_and_zoom_of_the_image() -> None:
    samples = next(_load(CROPS, supervision=Supervision.POINTS).batches(0, 1))
    for sample in samples:
        level, pixel = _read_pixels(sample)
        assert 0 < len(level) < 1024  # a part of the scene is outside of the crop
        assert np.corrcoef(level, pixel)[0, 1] > 0.9
    assert {bool(sample["points_uv"][0, 0] > sample["points_uv"][1, 0]) for sample in samples} == {True, False}


def test_a_flip_mirrors_the_scene() -> None:
    for sample in next(_load(CROPS, supervision=Supervision.POINTS).batches(0, 1)):
        to_the_right = sample["points"][:, 0] > 0
        middle = sample["points_uv"][to_the_right, 0].min()
        assert (sample["points_uv"][~to_the_right, 0] < middle).all()


def test_points_of_an_evaluation_sample_are_in_the_pixels_of_its_resized_image() -> None:
    protocol = Protocol(test=EvalTransform(short_side=128))
    loader = EvalLoader(open_dataset("toybox"), TOYBOX, protocol=protocol, supervision=Supervision.POINTS)
    sample, target = loader.sample(3)
    assert "point_sem_seg" not in sample
    level, pixel = _read_pixels(sample)
    assert (len(level), np.corrcoef(level, pixel)[0, 1] > 0.9) == (1024, True)
    columns, rows = (sample["points_uv"] / 2).long().unbind(1)
    assert loader.read_point_target(3).equal(target[rows, columns])


def test_points_of_toybox_project_to_their_pixels() -> None:
    raw = open_dataset("toybox").read_points("test", 0)  # type: ignore[attr-defined]
    assert np.allclose(CAMERA.project(raw.points[:, :3].astype(np.float64)), raw.uv, atol=1e-4)
    assert raw.points[:, 2].min() >= 5


def test_a_dataset_without_points_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match=r"dataset 'tiny' has no points.*use a dataset with points, such as toybox"):
        TrainLoader(Tiny(), SPLIT, protocol=PLAIN, batch_size=1, seed=0, supervision=Supervision.POINTS)
