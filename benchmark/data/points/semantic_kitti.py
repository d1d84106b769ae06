"""Formats of SemanticKITTI (arXiv 1904.01416): scans, labels, calibration, and the projection into a color camera.

    sequences/08/velodyne/000000.bin      float32 x, y, z in meters (forward, left, up) and remission in 0-1
    sequences/08/labels/000000.label      uint32, the class in the lower 16 bits and the instance in the upper ones
    sequences/08/image_2/000000.png       left color camera, from KITTI's odometry benchmark
    sequences/08/calib.txt                P2: projection of rectified camera 0 into image_2; Tr: scanner to camera 0

Class ids and names are those of the official semantic-kitti.yaml. Only points in front of the camera have a pixel,
about a sixth of a scan.
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
    *("car", "bicycle", "motorcycle", "truck", "other-vehicle", "person", "bicyclist", "motorcyclist", "road"),
    *("parking", "sidewalk", "other-ground", "building", "fence", "vegetation", "trunk", "terrain", "pole"),
    "traffic-sign",
)
"""The 19 classes of the benchmark, in its order."""

UNSEEN = ("motorcycle", "truck", "bicyclist", "traffic-sign")
"""Classes that zero-shot work on SemanticKITTI withholds."""

CLASS_OF_ID: Mapping[int, str] = {
    **{10: "car", 11: "bicycle", 13: "other-vehicle", 15: "motorcycle", 16: "other-vehicle", 18: "truck"},
    **{20: "other-vehicle", 30: "person", 31: "bicyclist", 32: "motorcyclist", 40: "road", 44: "parking"},
    **{48: "sidewalk", 49: "other-ground", 50: "building", 51: "fence", 60: "road", 70: "vegetation", 71: "trunk"},
    **{72: "terrain", 80: "pole", 81: "traffic-sign", 252: "car", 253: "bicyclist", 254: "person"},
    **{255: "motorcyclist", 256: "other-vehicle", 257: "other-vehicle", 258: "truck", 259: "other-vehicle"},
}
"""Class of each id in a label file; 13 is a bus, 16 is on rails, 60 is a lane marking, and from 252 on things move."""

IGNORED_IDS = (0, 1, 52, 99)
"""Ids of unlabeled points, outliers, other structures and other objects."""

SEQUENCES: Mapping[str, tuple[str, ...]] = {
    "train": ("00", "01", "02", "03", "04", "05", "06", "07", "09", "10"),
    "val": ("08",),
}
"""Sequences of the subsets with published labels."""

CELL = 6
"""Side of a cell of the z-buffer in pixels: neighboring beams of the scanner are about 5 pixels apart."""


@dataclass(frozen=True)
class KittiCalibration:
    """Calibration of a sequence.

    Attributes:
        projection: P2, (3, 4), rectified camera 0 to pixels of image_2.
        scanner_to_camera: Tr, (3, 4), scanner to rectified camera 0.
    """

    projection: NDArray[np.float64]
    scanner_to_camera: NDArray[np.float64]


def read_scan(path: Path) -> NDArray[np.float32]:
    """Read a scan: (N, 4) x, y, z in the frame of the scanner and remission.

    Raises:
        ValueError: The file is missing, its size is that of no scan, or a number is not finite.
    """
    return read_scan_numbers(path, columns=4)


def read_labels(path: Path, *, count: int) -> NDArray[np.uint8]:
    """Read the labels of a scan.

    Args:
        path: Label file.
        count: Number N of points of the scan.

    Returns:
        (N,) indices of `CLASSES`, 255 for ignored points.

    Raises:
        ValueError: The file is missing, has another number of labels, or has an unknown id.
    """
    ids = read_label_numbers(path, np.dtype("<u4"), count=count) & 0xFFFF
    table = np.full(1 << 16, -1, dtype=np.int16)
    table[list(IGNORED_IDS)] = IGNORE
    table[list(CLASS_OF_ID)] = [CLASSES.index(name) for name in CLASS_OF_ID.values()]
    labels: NDArray[np.int16] = table[ids]
    if labels.min(initial=0) < 0:
        unknown = np.unique(ids[labels < 0]).tolist()
        raise ValueError(f"{path} has the ids {unknown[:10]}, which are none of SemanticKITTI's: is it a label file?")
    return labels.astype(np.uint8)


def read_calibration(path: Path) -> KittiCalibration:
    """Read the calib.txt of a sequence.

    Raises:
        ValueError: The file is missing, or has no line of 12 numbers for P2 or Tr, or P2 belongs to no camera.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as text: {error}") from error
    values = {name.strip(): text.split() for name, _, text in (line.partition(":") for line in lines)}
    matrices = []
    for name in ("P2", "Tr"):
        numbers = [_parse_number(text) for text in values.get(name, ())]
        if len(numbers) != 12 or not np.isfinite(numbers).all():
            raise ValueError(f"{path} has no line '{name}:' with 12 numbers: use the one of KITTI's odometry data")
        matrices.append(np.array(numbers, dtype=np.float64).reshape(3, 4))
    calibration = KittiCalibration(*matrices)
    if np.linalg.matrix_rank(calibration.projection[:, :3]) < 3:
        raise ValueError(f"{path} has a line 'P2:' of no camera: use the one of KITTI's odometry data")
    return calibration


def _parse_number(text: str) -> float:
    """Return a number, NaN for text that is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def project_scan(
    scan: Floats, labels: NDArray[np.uint8], calibration: KittiCalibration, *, size: tuple[int, int]
) -> RawPoints:
    """Project a scan into its image.

    P2 = K [I | b], so that a point x of camera 0 is at x + K⁻¹ P2[:, 3] in the frame of the color camera.

    Args:
        scan: (N, 4) x, y, z and remission.
        labels: (N,) labels.
        calibration: Calibration of the sequence.
        size: Height and width of the image in pixels.
    """
    intrinsics, offset = calibration.projection[:, :3], calibration.projection[:, 3]
    in_camera = move_points(scan[:, :3], calibration.scanner_to_camera) + np.linalg.solve(intrinsics, offset)
    camera = PinholeCamera.from_matrix(intrinsics, size=size)
    return place_scan(in_camera, reflectance=scan[:, 3], labels=labels, camera=camera, cell=CELL)
