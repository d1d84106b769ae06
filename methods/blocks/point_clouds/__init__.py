"""Point clouds: batches of points, an encoder in plain PyTorch, and score maps from scores of points."""

from __future__ import annotations

from methods.blocks.point_clouds.cells import CellLevel, build_cells, compute_polar_positions
from methods.blocks.point_clouds.encoder import PointEncoder, PointEncoderConfig, PointFeatures
from methods.blocks.point_clouds.point_batch import PointBatch, collect_points
from methods.blocks.point_clouds.rasterize import rasterize

__all__ = [
    "CellLevel",
    "PointBatch",
    "PointEncoder",
    "PointEncoderConfig",
    "PointFeatures",
    "build_cells",
    "collect_points",
    "compute_polar_positions",
    "rasterize",
]
