"""Score maps from scores of points: a pixel has the scores of the nearest pixel with a visible point."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from methods.blocks.padding import Grid


def rasterize(scores: Tensor, uv: Tensor, depth: Tensor, *, size: Grid) -> Tensor:
    """Draw the scores of visible points into a map.

    Of several points in one pixel, the nearest to the camera counts. A pixel without a point takes the scores of the
    nearest pixel that has one.

    Args:
        scores: (N, K).
        uv: (N, 2) column and row in pixels of the map.
        depth: (N,) depth in meters.
        size: Height H and width W of the map.

    Returns:
        (K, H, W); zeros if there is no point.
    """
    height, width = size
    if not len(scores):
        return scores.new_zeros(scores.shape[1], height, width)
    columns, rows = uv.detach().cpu().numpy().astype(np.int64).T
    order = np.argsort(-depth.detach().cpu().numpy(), kind="stable")  # the last one written is the nearest
    point_of = np.full((height, width), -1, dtype=np.int64)
    point_of[rows.clip(0, height - 1)[order], columns.clip(0, width - 1)[order]] = order
    nearest = distance_transform_edt(point_of < 0, return_distances=False, return_indices=True)
    index = torch.from_numpy(point_of[tuple(nearest)].ravel()).to(scores.device)  # (H·W,)
    return scores.index_select(0, index).T.reshape(-1, height, width)
