"""Formats of nuScenes-lidarseg (arXiv 1903.11027): scans, labels, and the projection into a camera.

    samples/LIDAR_TOP/*.pcd.bin       float32 x, y, z in meters, intensity in 0-255, and number of the beam
    lidarseg/v1.0-*/*_lidarseg.bin    uint8, index of one of 32 categories
    v1.0-*/*.json                     tables: where each sensor was, and where the car was whenever one recorded

Scanner and camera record at different times, between which the car moves: points go from the scanner to the car, to the
world, to the car as the camera recorded, and to the camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.core.types import IGNORE
from benchmark.data.base import RawPoints
from benchmark.data.points.number_files import read_label_numbers, read_scan_numbers
from benchmark.data.points.pinhole import Floats, PinholeCamera
from benchmark.data.points.rigid import move_points
from benchmark.data.points.scan import place_scan

CLASSES = (
    *("barrier", "bicycle", "bus", "car", "construction_vehicle", "motorcycle", "pedestrian", "traffic_cone"),
    *("trailer", "truck", "driveable_surface", "other_flat", "sidewalk", "terrain", "manmade", "vegetation"),
)
"""The 16 classes of the lidarseg challenge, in its order."""

UNSEEN = ("motorcycle", "trailer", "terrain", "traffic_cone")
"""Classes to withhold. UNVERIFIED: recalled as those of earlier zero-shot work, and checked against no paper."""

CLASS_OF_CATEGORY: Mapping[str, str] = {
    "human.pedestrian.adult": "pedestrian",
    "human.pedestrian.child": "pedestrian",
    "human.pedestrian.construction_worker": "pedestrian",
    "human.pedestrian.police_officer": "pedestrian",
    "movable_object.barrier": "barrier",
    "movable_object.trafficcone": "traffic_cone",
    "vehicle.bicycle": "bicycle",
    "vehicle.bus.bendy": "bus",
    "vehicle.bus.rigid": "bus",
    "vehicle.car": "car",
    "vehicle.construction": "construction_vehicle",
    "vehicle.motorcycle": "motorcycle",
    "vehicle.trailer": "trailer",
    "vehicle.truck": "truck",
    "flat.driveable_surface": "driveable_surface",
    "flat.other": "other_flat",
    "flat.sidewalk": "sidewalk",
    "flat.terrain": "terrain",
    "static.manmade": "manmade",
    "static.vegetation": "vegetation",
}
"""Class of each category that has one; the other twelve are ignored."""

CATEGORIES = (
    *("noise", "animal", "human.pedestrian.adult", "human.pedestrian.child", "human.pedestrian.construction_worker"),
    *("human.pedestrian.personal_mobility", "human.pedestrian.police_officer", "human.pedestrian.stroller"),
    *("human.pedestrian.wheelchair", "movable_object.barrier", "movable_object.debris"),
    *("movable_object.pushable_pullable", "movable_object.trafficcone", "static_object.bicycle_rack"),
    *("vehicle.bicycle", "vehicle.bus.bendy", "vehicle.bus.rigid", "vehicle.car", "vehicle.construction"),
    *("vehicle.emergency.ambulance", "vehicle.emergency.police", "vehicle.motorcycle", "vehicle.trailer"),
    *("vehicle.truck", "flat.driveable_surface", "flat.other", "flat.sidewalk", "flat.terrain", "static.manmade"),
    *("static.other", "static.vegetation", "vehicle.ego"),
)
"""Names of the 32 categories, by the number in a label file."""

CELL = 16
"""Side of a cell of the z-buffer in pixels: beams of the scanner are about 1.3 degrees apart, which is 28 pixels; cells
of that size would hide parts of slanted surfaces."""


@dataclass(frozen=True, eq=False)
class Recording:
    """A scan and a camera that recorded at about the same time.

    Attributes:
        scanner_to_camera: (4, 4) transform of points in meters.
        intrinsics: K, (3, 3), pixels of the camera.
    """

    scanner_to_camera: NDArray[np.float64]
    intrinsics: NDArray[np.float64]


def read_scan(path: Path) -> NDArray[np.float32]:
    """Read a scan: (N, 4) x, y, z in the frame of the scanner and reflectance in 0-1.

    Raises:
        ValueError: The file is missing, its size is that of no scan, or a number is not finite.
    """
    numbers = read_scan_numbers(path, columns=5)
    return (numbers[:, :4] / np.array([1, 1, 1, 255], dtype=np.float32)).astype(np.float32)


def read_labels(path: Path, *, count: int) -> NDArray[np.uint8]:
    """Read the labels of a scan.

    Args:
        path: Label file.
        count: Number N of points of the scan.

    Returns:
        (N,) indices of `CLASSES`, 255 for ignored points.

    Raises:
        ValueError: The file is missing, has another number of labels, or has an unknown number.
    """
    numbers = read_label_numbers(path, np.dtype("u1"), count=count)
    if numbers.max(initial=0) >= len(CATEGORIES):
        raise ValueError(f"{path} has the number {numbers.max()}, expected one of {len(CATEGORIES)} categories")
    names = [CLASS_OF_CATEGORY.get(category) for category in CATEGORIES]
    table = np.array([IGNORE if name is None else CLASSES.index(name) for name in names], dtype=np.uint8)
    labels: NDArray[np.uint8] = table[numbers]
    return labels


def chain_transforms(
    *, scanner: Floats, car_at_scan: Floats, car_at_image: Floats, camera: Floats
) -> NDArray[np.float64]:
    """Return the transform (4, 4) from the scanner to the camera.

    Args:
        scanner: (4, 4) scanner to car.
        car_at_scan: (4, 4) car to world when the scanner recorded.
        car_at_image: (4, 4) car to world when the camera recorded.
        camera: (4, 4) camera to car.
    """
    return np.asarray(np.linalg.inv(camera) @ np.linalg.inv(car_at_image) @ car_at_scan @ scanner)


def project_scan(scan: Floats, labels: NDArray[np.uint8], recording: Recording, *, size: tuple[int, int]) -> RawPoints:
    """Project a scan into an image.

    Args:
        scan: (N, 4) x, y, z and reflectance.
        labels: (N,) labels.
        recording: Camera.
        size: Height and width of the image in pixels.
    """
    return place_scan(
        move_points(scan[:, :3], recording.scanner_to_camera),
        reflectance=scan[:, 3],
        labels=labels,
        camera=PinholeCamera.from_matrix(recording.intrinsics, size=size),
        cell=CELL,
    )
