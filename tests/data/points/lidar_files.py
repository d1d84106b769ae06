"""Tiny trees of files in the formats of SemanticKITTI and nuScenes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 64, 32
KITTI_CALIBRATION = "P2: 40 0 32 0 0 40 16 0 0 0 1 0\nTr: 0 -1 0 0 0 0 -1 0 1 0 0 0\n"
AHEAD = [[10, 0, 0, 0.5], [10, 2, 1, 0.5], [-10, 0, 0, 0.5], [10, 30, 0, 0.5], [20, 0, 0, 0.5]]
"""Points in the frame of the scanner: ahead, left of it and above, behind, beside the image, hidden by the first."""


def write_kitti(root: Path, *sequences: str, scans: int = 2) -> Path:
    """Write sequences of scans whose points are a car, a road, a person, a truck and a traffic sign."""
    for sequence in sequences:
        folder = root / "sequences" / sequence
        for name in ("velodyne", "labels", "image_2"):
            (folder / name).mkdir(parents=True)
        (folder / "calib.txt").write_text(KITTI_CALIBRATION)
        for number in range(scans):
            stem = f"{number:06d}"
            (folder / "velodyne" / f"{stem}.bin").write_bytes(np.array(AHEAD, dtype="<f4").tobytes())
            ids = np.array([10, 40, 30, 18, 81], dtype="<u4") | 3 << 16
            (folder / "labels" / f"{stem}.label").write_bytes(ids.astype("<u4").tobytes())
            _write_image(folder / "image_2" / f"{stem}.png", level=number)
    return root


def write_nuscenes(root: Path, *scenes: str) -> Path:
    """Write a version of tables with one sample a scene; the camera looks along the x axis of the scanner."""
    still = {"rotation": [1, 0, 0, 0], "translation": [0, 0, 0]}
    intrinsic = [[40, 0, 32], [0, 40, 16], [0, 0, 1]]
    tables: dict[str, list[dict[str, Any]]] = {
        "sensor": [{"token": "l", "channel": "LIDAR_TOP"}, {"token": "c", "channel": "CAM_FRONT"}],
        "calibrated_sensor": [
            {"token": "cl", "sensor_token": "l", "camera_intrinsic": [], **still},
            {"token": "cc", "sensor_token": "c", "camera_intrinsic": intrinsic, **still}
            | {"rotation": [0.5, -0.5, 0.5, -0.5]},
        ],
        "ego_pose": [{"token": "e", **still}],
        **{name: [] for name in ("scene", "sample", "sample_data", "lidarseg")},
    }
    for index, scene in enumerate(scenes):
        tables["scene"].append({"token": f"scene{index}", "name": scene})
        tables["sample"].append({"token": f"sample{index}", "scene_token": f"scene{index}", "timestamp": index})
        for kind, path in (("l", f"samples/LIDAR_TOP/{index}.pcd.bin"), ("c", f"samples/CAM_FRONT/{index}.png")):
            shared = {"sample_token": f"sample{index}", "is_key_frame": True, "ego_pose_token": "e"}
            row = {"token": f"{kind}{index}", "calibrated_sensor_token": f"c{kind}", "filename": path}
            tables["sample_data"].append(row | shared)
        tables["lidarseg"].append({"sample_data_token": f"l{index}", "filename": f"lidarseg/{index}_lidarseg.bin"})
        _write_nuscenes_files(root, index)
    (root / "v1.0-mini").mkdir(parents=True)
    for name, rows in tables.items():
        (root / "v1.0-mini" / f"{name}.json").write_text(json.dumps(rows))
    return root


def _write_nuscenes_files(root: Path, index: int) -> None:
    """Write a scan whose points are a car, a road, an adult, a truck and a traffic cone, with its image."""
    for name in ("samples/LIDAR_TOP", "samples/CAM_FRONT", "lidarseg"):
        (root / name).mkdir(parents=True, exist_ok=True)
    scan = np.column_stack([np.array(AHEAD) * [1, 1, 1, 255], np.zeros(len(AHEAD))]).astype("<f4")
    (root / "samples" / "LIDAR_TOP" / f"{index}.pcd.bin").write_bytes(scan.tobytes())
    (root / "lidarseg" / f"{index}_lidarseg.bin").write_bytes(bytes([17, 24, 2, 23, 12]))
    _write_image(root / "samples" / "CAM_FRONT" / f"{index}.png", level=index)


def _write_image(path: Path, *, level: int) -> None:
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), level, dtype=np.uint8)).save(path)
