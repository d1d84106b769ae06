"""The formats of nuScenes-lidarseg, on files made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.data.points.nuscenes import (
    CATEGORIES,
    CLASS_OF_CATEGORY,
    CLASSES,
    UNSEEN,
    Recording,
    chain_transforms,
    project_scan,
    read_labels,
    read_scan,
)
from benchmark.data.points.rigid import make_transform

HALF = 0.5**0.5
INTRINSICS = np.array([[1000.0, 0, 800], [0, 1000, 450], [0, 0, 1]])
LOOKS_FORWARD = (0.5, -0.5, 0.5, -0.5)
"""Rotation of a camera that looks along the x axis of the car: its x is to the right, its y down."""


def test_a_scan_has_five_numbers_a_point_and_intensity_becomes_reflectance(tmp_path: Path) -> None:
    (tmp_path / "0.pcd.bin").write_bytes(np.array([[1, 2, 3, 51, 7]], dtype="<f4").tobytes())
    assert np.allclose(read_scan(tmp_path / "0.pcd.bin"), [[1, 2, 3, 0.2]])


def test_thirty_two_categories_become_sixteen_classes(tmp_path: Path) -> None:
    (tmp_path / "0.bin").write_bytes(bytes([0, 2, 6, 12, 15, 16, 24, 30, 31]))
    labels = read_labels(tmp_path / "0.bin", count=9)
    names = [CLASSES[label] if label < 255 else "" for label in labels]
    assert names == ["", *["pedestrian"] * 2, "traffic_cone", "bus", "bus", "driveable_surface", "vegetation", ""]


def test_the_tables_of_classes_agree() -> None:
    assert (len(CATEGORIES), len(set(CATEGORIES)), len(CLASSES)) == (32, 32, 16)
    assert set(CLASS_OF_CATEGORY) < set(CATEGORIES)
    assert set(CLASS_OF_CATEGORY.values()) == set(CLASSES)
    assert set(UNSEEN) < set(CLASSES)


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    (tmp_path / "0.bin").write_bytes(bytes([0, 40]))
    with pytest.raises(ValueError, match="has 2 labels for a scan of 1 points"):
        read_labels(tmp_path / "0.bin", count=1)
    with pytest.raises(ValueError, match="has the number 40, expected one of 32 categories"):
        read_labels(tmp_path / "0.bin", count=2)


def test_a_quaternion_turns_as_it_should() -> None:
    turn = make_transform(rotation=(HALF, 0, 0, HALF), translation=(1, 2, 3))  # a quarter turn to the left
    assert np.allclose(turn @ [1, 0, 0, 1], [1, 3, 3, 1])


def test_points_follow_the_car_between_scan_and_image() -> None:
    transform = chain_transforms(
        scanner=make_transform(rotation=(1, 0, 0, 0), translation=(1, 0, 1.8)),
        car_at_scan=make_transform(rotation=(1, 0, 0, 0), translation=(100, 0, 0)),
        car_at_image=make_transform(rotation=(1, 0, 0, 0), translation=(101, 0, 0)),  # a meter further
        camera=make_transform(rotation=LOOKS_FORWARD, translation=(1.5, 0, 1.5)),
    )
    # 20 m before the scanner is 21 m before the car, 20 m when the image is taken, and 18.5 m before the camera
    scan = np.array([[20, 0, 0, 0.5], [20, -1.85, 0, 0.5], [-20, 0, 0, 0.5]])
    points = project_scan(scan, np.zeros(3, dtype=np.uint8), Recording(transform, INTRINSICS), size=(900, 1600))
    assert np.allclose(points.points[0, :3], [0, -0.3, 18.5])
    assert np.allclose(points.uv[:2], [[800, 450 - 300 / 18.5], [900, 450 - 300 / 18.5]])
    assert points.is_visible.tolist() == [True, True, False]
