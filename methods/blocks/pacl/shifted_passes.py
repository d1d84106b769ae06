"""Dense maps finer than the patches of an encoder, from passes over shifted images.

A stride s smaller than the patch p would give the encoder (p/s)² times as many tokens, and its attention the square of
that. Passes over images that are shifted in steps of s give the same patches at the cost of (p/s)² ordinary passes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def run_shifted(function: Callable[[Tensor], Tensor], images: Tensor, *, patch: int, shifts: int) -> Tensor:
    """Interleave the maps of shifted images.

    The shifts lie around zero, so that position (i, j) of the result is centered in square (i, j) of side s =
    patch/shifts of the image, as bilinear resizing assumes; if patch - s is odd, it is half a pixel off. Pixels that a
    shift moves in repeat the border.

    Args:
        function: Function from images (B, C, H, W) to maps (B, K, H/patch, W/patch).
        images: (B, C, H, W), H and W multiples of the patch.
        patch: Side of a patch in pixels.
        shifts: Number of shifts in each direction, which divides the patch.

    Returns:
        (B, K, H/s, W/s).
    """
    height, width = images.shape[2:]
    offsets = compute_offsets(patch, shifts=shifts)
    margin = -offsets[0]
    padded = F.pad(images, (margin, margin, margin, margin), mode="replicate")
    starts = [margin + offset for offset in offsets]
    maps = [function(padded[:, :, y : y + height, x : x + width]) for y in starts for x in starts]
    stacked = torch.stack(maps, dim=2).unflatten(2, (shifts, shifts))  # (B, K, n, n, h, w)
    interleaved: Tensor = stacked.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)  # (B, K, h·n, w·n)
    return interleaved


def compute_offsets(patch: int, *, shifts: int) -> list[int]:
    """Return the shifts of a patch in pixels, ascending; the first is the most negative one."""
    stride = patch // shifts
    return [stride * index - (patch - stride + 1) // 2 for index in range(shifts)]
