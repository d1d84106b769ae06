"""SemanticKITTI as a dataset of scans and images of the left color camera; formats are in `semantic_kitti`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from benchmark.data.base import RawPoints
from benchmark.data.points.lidar_dataset import LidarDataset
from benchmark.data.points.number_files import digest_arrays
from benchmark.data.points.semantic_kitti import (
    CLASSES,
    SEQUENCES,
    KittiCalibration,
    project_scan,
    read_calibration,
    read_labels,
    read_scan,
)


@dataclass(frozen=True)
class KittiFrame:
    """A scan with its image.

    Attributes:
        folder: Folder of the sequence.
        number: Number of the scan, as the files have it.
    """

    folder: Path
    number: str

    @property
    def image_id(self) -> str:
        """Sequence and number."""
        return f"{self.folder.name}_{self.number}"

    @property
    def image_path(self) -> Path:
        """Path of the image of the left color camera."""
        return self.folder / "image_2" / f"{self.number}.png"

    @property
    def scan_path(self) -> Path:
        """Path of the scan."""
        return self.folder / "velodyne" / f"{self.number}.bin"

    @property
    def label_path(self) -> Path:
        """Path of the labels of the scan."""
        return self.folder / "labels" / f"{self.number}.label"

    @property
    def files(self) -> tuple[Path, ...]:
        """Paths of image, scan and labels."""
        return self.image_path, self.scan_path, self.label_path

    def digest_camera(self) -> str:
        """Return the SHA-256 (hex) of the calibration of the sequence."""
        calibration = _read_calibration(self.folder / "calib.txt")
        return digest_arrays(calibration.projection, calibration.scanner_to_camera)

    def read_points(self, size: tuple[int, int]) -> RawPoints:
        """Read the scan, given the height and width of the image.

        Raises:
            ValueError: A file is missing or broken; the message names the file.
        """
        scan = read_scan(self.scan_path)
        labels = read_labels(self.label_path, count=len(scan))
        return project_scan(scan, labels, _read_calibration(self.folder / "calib.txt"), size=size)


def open_semantic_kitti(root: Path) -> LidarDataset:
    """Open SemanticKITTI; nothing is read yet.

    Args:
        root: Folder that holds `sequences`.
    """
    return LidarDataset(
        "semantic_kitti", CLASSES, subsets=tuple(SEQUENCES), list_frames=partial(list_kitti_frames, root)
    )


def list_kitti_frames(root: Path, subset: str) -> Sequence[KittiFrame]:
    """Return the labeled scans of a subset, sequence by sequence, in the order of their numbers.

    Raises:
        ValueError: A sequence has no labeled scans.
    """
    frames: list[KittiFrame] = []
    for sequence in SEQUENCES[subset]:
        folder = root / "sequences" / sequence
        numbers = sorted(path.stem for path in folder.glob("labels/*.label"))
        if not numbers:
            raise ValueError(f"{folder / 'labels'} has no .label files: unpack SemanticKITTI's labels there")
        frames += [KittiFrame(folder, number) for number in numbers]
    return tuple(frames)


@lru_cache(maxsize=32)
def _read_calibration(path: Path) -> KittiCalibration:
    return read_calibration(path)
