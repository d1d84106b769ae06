"""Region embeddings by masked crops: CLIP embeds the box of a region, with a constant color around the region.

As in zsseg (arXiv 2112.14757): the region is where a mask exceeds a threshold, pixels outside it have CLIP's mean
color, and its box is resized to CLIP's input by bicubic interpolation, whatever its aspect ratio.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config
from methods.blocks.class_embeddings.tokenizers import get_text_dimension
from methods.blocks.clip.config import Clip
from methods.blocks.images import Normalize

BATCH = 128
"""Number of crops encoded at once, which limits the memory."""


class MaskedCropConfig(Config):
    """Regions and how CLIP sees them.

    Attributes:
        threshold: A region is where its mask, in 0-1, is larger.
        fill: Around the region there is CLIP's mean color, black, or the image itself.
        expansion: Factor of the width and the height of the box.
        min_area: Regions of a smaller share of the image are not embedded; 0 for all that have a pixel.
    """

    threshold: float = Field(default=0.5, ge=0, lt=1)
    fill: Literal["mean", "black", "image"] = "mean"
    expansion: float = Field(default=1.0, gt=0)
    min_area: float = Field(default=0.0, ge=0, lt=1)


class RegionEmbeddings(NamedTuple):
    """Embeddings of those regions of an image that have one.

    Attributes:
        vectors: (M, D) unit vectors.
        has_region: (N,) bool with M times True, the masks whose regions are embedded, in their order.
    """

    vectors: Tensor
    has_region: Tensor


class MaskedCropEncoder(nn.Module):
    """CLIP's embeddings of the regions of an image; works with any image encoder of open_clip.

    Args:
        clip: A frozen CLIP.
        config: Regions and how CLIP sees them.
        side: Height and width S of a crop, which the image encoder must accept; None for those of CLIP's input.

    Attributes:
        size: Height and width of a crop.
        dimension: Length D of an embedding.
    """

    visual: Any

    def __init__(self, clip: Clip, config: MaskedCropConfig, *, side: int | None = None) -> None:
        super().__init__()
        self.visual, self.config, self.dimension = clip.visual, config, get_text_dimension(clip)
        self.normalize = Normalize(self.visual.image_mean, self.visual.image_std)
        size = self.visual.image_size if side is None else side
        self.size: tuple[int, int] = (size, size) if isinstance(size, int) else tuple(size)

    @torch.no_grad()
    def forward(self, image: Tensor, masks: Tensor) -> RegionEmbeddings:
        """Embed the regions of an image.

        Args:
            image: (3, H, W) RGB in 0-255.
            masks: (N, H, W) in 0-1, or bool.

        Returns:
            Embeddings of the regions that have a pixel, and at least the smallest area.
        """
        crops, has_region = self.crop(image, masks)
        return RegionEmbeddings(self.encode(crops), has_region)

    def crop(self, image: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Crop the regions of an image.

        Args:
            image: (3, H, W) RGB in 0-255.
            masks: (N, H, W) in 0-1, or bool.

        Returns:
            Crops (M, 3, S, S), normalized, and which masks have one, (N,) bool.
        """
        regions = masks if masks.dtype == torch.bool else masks > self.config.threshold
        has_region = regions.flatten(1).sum(dim=1) > self.config.min_area * image[0].numel()
        normalized = self.normalize(image)
        around = self._make_surroundings(normalized)
        crops = [self._crop(normalized, around, region) for region in regions[has_region]]
        return torch.stack(crops) if crops else image.new_zeros(0, 3, *self.size), has_region

    @torch.no_grad()
    def encode(self, crops: Tensor) -> Tensor:
        """Embed crops (M, 3, S, S), normalized: (M, D) unit vectors."""
        if not len(crops):
            return crops.new_zeros(0, self.dimension)
        return F.normalize(torch.cat([self.visual(part).float() for part in crops.split(BATCH)]), dim=1)

    def _make_surroundings(self, normalized: Tensor) -> Tensor:
        """Return what is around regions, normalized, for an image (3, H, W)."""
        if self.config.fill == "image":
            return normalized
        color = torch.zeros_like(normalized)  # the mean color
        return color if self.config.fill == "mean" else self.normalize(color)

    def _crop(self, normalized: Tensor, around: Tensor, region: Tensor) -> Tensor:
        """Crop one region, (H, W) bool, from a normalized image (3, H, W): (3, S, S)."""
        rows, columns = (expand_side(region.any(dim=axis), self.config.expansion) for axis in (1, 0))
        filled = torch.where(region[rows, columns], normalized[:, rows, columns], around[:, rows, columns])
        return F.interpolate(filled[None], size=self.size, mode="bicubic", align_corners=False)[0]


def expand_side(is_inside: Tensor, expansion: float) -> slice:
    """Return the range of a box on one axis, expanded around its center and cut at the border of the image.

    Args:
        is_inside: (H,) bool, rows or columns of the region, at least one of them.
        expansion: Factor of the length.
    """
    inside = is_inside.nonzero()[:, 0].tolist()
    first, last = inside[0], inside[-1] + 1
    center, half = (first + last) / 2, (last - first) * expansion / 2
    return slice(max(int(center - half), 0), min(int(center + half), len(is_inside)))


def combine_probabilities(by_query: Tensor, by_clip: Tensor, *, is_seen: Tensor, weight: float) -> Tensor:
    """Compute geometric means that trust queries with seen classes and CLIP with unseen ones (section 4.3).

    Args:
        by_query: (Q, K) probabilities of the segmenter.
        by_clip: (Q, K) probabilities of CLIP.
        is_seen: (K,) bool.
        weight: Weight of the queries for seen classes and of CLIP for unseen ones.

    Returns:
        (Q, K).
    """
    query_weight = torch.where(is_seen, weight, 1 - weight)  # (K,)
    return by_query**query_weight * by_clip ** (1 - query_weight)
