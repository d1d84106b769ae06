"""LiDAR datasets by name, and where they are looked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.data.points.lidar_dataset import LidarDataset
from benchmark.data.points.nuscenes_dataset import open_nuscenes
from benchmark.data.points.semantic_kitti_dataset import open_semantic_kitti


@dataclass(frozen=True)
class LidarSource:
    """A LiDAR dataset on disk.

    Attributes:
        roots: Folders below a data folder that may hold the dataset; "." is the data folder itself.
        marker: Folder that its root contains.
        open: Function from the root to the dataset.
    """

    roots: tuple[str, ...]
    marker: str
    open: Callable[[Path], LidarDataset]


LIDAR_SOURCES: Mapping[str, LidarSource] = {
    "semantic_kitti": LidarSource(
        ("SemanticKITTI/dataset", "SemanticKITTI", "semantic_kitti", "dataset", "."), "sequences", open_semantic_kitti
    ),
    "nuscenes_mini": LidarSource(("nuscenes", "nuScenes", "."), "v1.0-mini", open_nuscenes),
}
"""LiDAR datasets by name in the catalog."""


def open_lidar_dataset(name: str, folders: Sequence[Path]) -> LidarDataset:
    """Open a LiDAR dataset.

    Args:
        name: Name in `LIDAR_SOURCES`.
        folders: Data folders, in the order of search.

    Raises:
        FileNotFoundError: It is in none of the folders; the message says what was looked for.
    """
    source = LIDAR_SOURCES[name]
    for root in (folder / relative for folder in folders for relative in source.roots):
        if (root / source.marker).is_dir():
            return source.open(root)
    wanted = f"a folder {source.marker!r}, directly or in {', '.join(source.roots[:-1])}"
    if not folders:
        raise FileNotFoundError(f"dataset {name!r} needs a data folder: pass --data DIR, where DIR contains {wanted}")
    searched = os.pathsep.join(map(str, folders))
    raise FileNotFoundError(f"dataset {name!r} was not found in {searched}: looked for {wanted}")
