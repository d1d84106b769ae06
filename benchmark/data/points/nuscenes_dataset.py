"""nuScenes-lidarseg as a dataset of scans and images of one camera; formats are in `nuscenes`.

A sample has six cameras, each of which sees a part of the scan. One of them is used, the front camera by default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.base import RawPoints
from benchmark.data.points.lidar_dataset import LidarDataset
from benchmark.data.points.number_files import digest_arrays
from benchmark.data.points.nuscenes import (
    CLASSES,
    Recording,
    chain_transforms,
    project_scan,
    read_labels,
    read_scan,
)
from benchmark.data.points.rigid import make_transform

MINI_SCENES: Mapping[str, tuple[str, ...]] = {
    "train": tuple(f"scene-{number}" for number in ("0061", "0553", "0655", "0757", "0796", "1077", "1094", "1100")),
    "val": ("scene-0103", "scene-0916"),
}
"""Scenes of the subsets of v1.0-mini. Lists for other versions are in the official devkit, and are given to `open`."""

SCANNER, FRONT = "LIDAR_TOP", "CAM_FRONT"

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class NuScenesFrame:
    """A scan with the image of one camera.

    Attributes:
        image_id: Token of the sample.
        image_path: Path of the image.
        scan_path: Path of the scan.
        label_path: Path of the labels of the scan.
        recording: Where the scanner was when the camera recorded.
    """

    image_id: str
    image_path: Path
    scan_path: Path
    label_path: Path
    recording: Recording

    @property
    def files(self) -> tuple[Path, ...]:
        """Paths of image, scan and labels."""
        return self.image_path, self.scan_path, self.label_path

    def digest_camera(self) -> str:
        """Return the SHA-256 (hex) of intrinsics and transform of the camera."""
        return digest_arrays(self.recording.intrinsics, self.recording.scanner_to_camera)

    def read_points(self, size: tuple[int, int]) -> RawPoints:
        """Read the scan, given the height and width of the image.

        Raises:
            ValueError: A file is missing or broken; the message names the file.
        """
        scan = read_scan(self.scan_path)
        return project_scan(scan, read_labels(self.label_path, count=len(scan)), self.recording, size=size)


def open_nuscenes(
    root: Path,
    *,
    version: str = "v1.0-mini",
    scenes: Mapping[str, tuple[str, ...]] = MINI_SCENES,
    camera: str = FRONT,
) -> LidarDataset:
    """Open nuScenes-lidarseg; nothing is read yet.

    Args:
        root: Folder that holds `samples`, `lidarseg` and the folder of tables.
        version: Name of the folder of tables.
        scenes: Names of the scenes of each subset.
        camera: Channel of the camera.
    """
    list_frames = partial(_list_frames, root / version, scenes=scenes, camera=camera)
    name = version.replace("v1.0-", "nuscenes_")  # nuscenes_mini in the catalog
    return LidarDataset(name, CLASSES, subsets=tuple(scenes), list_frames=list_frames)


def list_nuscenes_frames(tables: Path, names: Sequence[str], *, camera: str) -> Sequence[NuScenesFrame]:
    """Return the labeled samples of some scenes, scene by scene, in the order of time.

    Args:
        tables: Folder of tables; files are relative to its parent.
        names: Names of the scenes.
        camera: Channel of the camera.

    Raises:
        ValueError: A table is missing or broken, or a scene, a camera or a field is not in it.
    """
    try:
        return _list_labeled(tables, names, camera=camera)
    except KeyError as error:
        raise ValueError(
            f"the tables in {tables} lack {error.args[0]!r}: copy all tables of one version of nuScenes again"
        ) from error


def _list_labeled(tables: Path, names: Sequence[str], *, camera: str) -> Sequence[NuScenesFrame]:
    """Return the labeled samples of some scenes; arguments as in `list_nuscenes_frames`."""
    labels = {row["sample_data_token"]: row["filename"] for row in _read_table(tables / "lidarseg.json")}
    sensors, poses = (_read_rows(tables / f"{name}.json") for name in ("calibrated_sensor", "ego_pose"))
    recorded, frames = _list_recorded(tables, channels=(SCANNER, camera)), list[NuScenesFrame]()
    for token in _list_samples(tables, names):
        scan, image = recorded[token, SCANNER], recorded[token, camera]
        if scan["token"] in labels:
            root, recording = tables.parent, _make_recording(scan, image, sensors=sensors, poses=poses)
            scan_path, label_path = root / scan["filename"], root / labels[scan["token"]]
            frames.append(NuScenesFrame(token, root / image["filename"], scan_path, label_path, recording))
    return tuple(frames)


def _list_recorded(tables: Path, *, channels: Sequence[str]) -> dict[tuple[str, str], Row]:
    """Return the key frames of some channels by token of the sample and channel."""
    channel_of = {row["token"]: row["channel"] for row in _read_table(tables / "sensor.json")}
    sensors = _read_rows(tables / "calibrated_sensor.json")
    recorded: dict[tuple[str, str], Row] = {}
    for row in _read_table(tables / "sample_data.json"):
        channel = channel_of[sensors[row["calibrated_sensor_token"]]["sensor_token"]]
        if row["is_key_frame"] and channel in channels:
            recorded[row["sample_token"], channel] = row
    return recorded


def _read_rows(path: Path) -> dict[str, Row]:
    """Return the rows of a table by token."""
    return {row["token"]: row for row in _read_table(path)}


def _list_frames(
    tables: Path, subset: str, *, scenes: Mapping[str, tuple[str, ...]], camera: str
) -> Sequence[NuScenesFrame]:
    return list_nuscenes_frames(tables, scenes[subset], camera=camera)


def _list_samples(tables: Path, names: Sequence[str]) -> list[str]:
    """Return the tokens of the samples of some scenes, in the order of scenes and time."""
    scene_of = {row["name"]: row["token"] for row in _read_table(tables / "scene.json")}
    missing = [name for name in names if name not in scene_of]
    if missing:
        raise ValueError(f"{tables} has no scene {missing[0]!r}: give the scenes of this version of nuScenes")
    samples: dict[str, list[Row]] = {}
    for row in _read_table(tables / "sample.json"):
        samples.setdefault(row["scene_token"], []).append(row)
    ordered = (sorted(samples.get(scene_of[name], []), key=lambda row: row["timestamp"]) for name in names)
    return [row["token"] for rows in ordered for row in rows]


def _make_recording(scan: Row, image: Row, *, sensors: Mapping[str, Row], poses: Mapping[str, Row]) -> Recording:
    scanner, camera = sensors[scan["calibrated_sensor_token"]], sensors[image["calibrated_sensor_token"]]
    transform = chain_transforms(
        scanner=_read_pose(scanner),
        car_at_scan=_read_pose(poses[scan["ego_pose_token"]]),
        car_at_image=_read_pose(poses[image["ego_pose_token"]]),
        camera=_read_pose(camera),
    )
    return Recording(transform, np.array(camera["camera_intrinsic"], dtype=np.float64))


def _read_pose(row: Row) -> NDArray[np.float64]:
    """Return the transform (4, 4) of a row with a rotation and a translation."""
    return make_transform(rotation=row["rotation"], translation=row["translation"])


@lru_cache(maxsize=16)
def _read_table(path: Path) -> list[Row]:
    try:
        table: list[Row] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a table of nuScenes: {error}") from error
    return table
