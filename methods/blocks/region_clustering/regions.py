"""Pseudo regions: the clusters of CLIP's patches, cut to the unlabeled pixels of an image."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config
from benchmark.core.types import Batch, get_ignore_label
from methods.blocks.clip.attention import Attention, Tail
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.mcfa.teacher import DenseTeacher
from methods.blocks.padding import crop_to_image, encode_without_padding, get_valid_size, group_indices
from methods.blocks.region_clustering.clusters import cluster_patches

NO_REGION = -1
"""Number of pixels that are in no region."""


class RegionConfig(Config):
    """How unlabeled pixels become regions.

    Attributes:
        windows: Sides of the windows whose means are the seeds of K-means, in patches.
        iterations: Largest number of K-means iterations.
        merge_above: Cosine above which two clusters become one; None to merge nothing.
        min_share: Share of the image below which a region is dropped.
        max_regions: Number of regions of an image, the largest ones.
        attention: Attention of CLIP's last block for the dense embeddings.
        tail: Rest of the last block, after its attention.
    """

    windows: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(default=(3, 5, 7), min_length=1)
    iterations: int = Field(default=10, ge=1)
    merge_above: float | None = Field(default=0.9, ge=-1, le=1)
    min_share: float = Field(default=0.005, ge=0, lt=1)
    max_regions: int = Field(default=16, ge=1)
    attention: Attention = "value"
    tail: Tail = "full"


class Regions(NamedTuple):
    """Pseudo regions of B images, at most R in each, the largest first.

    Attributes:
        ids: (B, H, W) long, 0 to R - 1, or NO_REGION.
        is_present: (B, R) bool; an image has region r + 1 only if it has region r.
        embeddings: (B, R, D) mean dense embeddings of CLIP in each region, unit vectors; 0 for absent regions.
        class_tokens: (B, D) CLIP's embeddings of the images, unit vectors.
    """

    ids: Tensor
    is_present: Tensor
    embeddings: Tensor
    class_tokens: Tensor


class RegionTeacher(nn.Module):
    """The frozen image encoder of CLIP, which finds the regions of unlabeled pixels.

    Args:
        encoder: CLIP's image encoder.
        config: How regions are found.

    Attributes:
        dimension: Length D of an embedding.
    """

    def __init__(self, encoder: ClipImageEncoder, config: RegionConfig) -> None:
        super().__init__()
        self.teacher = DenseTeacher(encoder, attention=config.attention, tail=config.tail)
        self.config, self.dimension = config, encoder.embed_dim

    @torch.no_grad()
    def forward(self, batch: Batch, is_unlabeled: Tensor) -> Regions:
        """Find the regions of each image by itself, without its padding.

        Args:
            batch: B samples.
            is_unlabeled: (B, H, W) bool; padding is never part of a region.
        """
        config, dimension = self.config, self.dimension
        ids = torch.full(is_unlabeled.shape, NO_REGION, device=is_unlabeled.device)
        embeddings = torch.zeros(len(batch), config.max_regions, dimension, device=ids.device)
        class_tokens = torch.zeros(len(batch), dimension, device=ids.device)
        for (height, width), indices in group_indices(get_valid_size(sample) for sample in batch).items():
            dense, _, whole = self.teacher.encode(torch.stack([crop_to_image(batch[index]) for index in indices]))
            clusters = cluster_patches(
                dense, windows=config.windows, iterations=config.iterations, merge_above=config.merge_above
            )
            numbers = select_unlabeled(clusters, is_unlabeled[indices, :height, :width], config=config)
            ids[indices, :height, :width] = numbers
            embeddings[indices] = F.normalize(pool_by_region(dense, numbers, num_regions=config.max_regions)[0], dim=2)
            class_tokens[indices] = F.normalize(whole, dim=1)
        counts = ids.flatten(1).amax(dim=1) + 1
        num_regions = int(counts.max())
        is_present = torch.arange(num_regions, device=ids.device) < counts.unsqueeze(1)
        return Regions(ids, is_present, embeddings[:, :num_regions], class_tokens)

    @torch.no_grad()
    def encode_class_tokens(self, batch: Batch) -> Tensor:
        """Compute CLIP's embeddings of images without their padding, (B, D) unit vectors."""
        return F.normalize(encode_without_padding(lambda images: self.teacher.encode(images)[2], batch), dim=1)


def select_unlabeled(clusters: Tensor, is_unlabeled: Tensor, *, config: RegionConfig) -> Tensor:
    """Cut clusters to unlabeled pixels, and drop the parts that are too small.

    Args:
        clusters: (B, h, w) long, clusters of the patches, at least 0.
        is_unlabeled: (B, H, W) bool.
        config: Smallest share of the image, and largest number of regions.

    Returns:
        (B, H, W) long, numbers of regions from the largest to the smallest, or NO_REGION.
    """
    size = is_unlabeled.shape[1:]
    rows, columns = _locate_cells(size, clusters.shape[1:], device=clusters.device)
    pixels = clusters[:, rows][:, :, columns].flatten(1)  # (B, H·W)
    areas = torch.zeros(len(clusters), int(pixels.max()) + 1, device=clusters.device)
    areas.scatter_add_(1, pixels, is_unlabeled.flatten(1).float())  # whole numbers: exact in any order
    order = areas.argsort(dim=1, descending=True, stable=True)
    ranks = torch.empty_like(order).scatter(
        1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
    )
    is_kept = (areas >= config.min_share * size[0] * size[1]) & (areas > 0) & (ranks < config.max_regions)
    numbers = ranks.masked_fill(~is_kept, NO_REGION).gather(1, pixels).view_as(is_unlabeled)
    return numbers.masked_fill(~is_unlabeled, NO_REGION)


def pool_by_region(features: Tensor, ids: Tensor, *, num_regions: int) -> tuple[Tensor, Tensor]:
    """Average a map over the pixels of each region; a pixel has the features of the cell that it lies in.

    Args:
        features: (B, C, h, w), which covers the image.
        ids: (B, H, W) long; numbers outside 0 to R - 1 are in no region.
        num_regions: Number R of regions.

    Returns:
        Means (B, R, C), 0 for a region without pixels, and areas (B, R) in pixels.
    """
    height, width = features.shape[2:]
    rows, columns = _locate_cells(ids.shape[1:], (height, width), device=ids.device)
    cells = (rows.unsqueeze(1) * width + columns).expand_as(ids)  # (B, H, W)
    is_inside = (ids >= 0) & (ids < num_regions)
    index = torch.where(is_inside, ids, 0) * (height * width) + cells
    counts = torch.zeros(len(ids), num_regions * height * width, device=ids.device)
    if num_regions:
        counts.scatter_add_(1, index.flatten(1), is_inside.flatten(1).float())  # whole numbers: exact in any order
    counts = counts.view(len(ids), num_regions, height * width)
    areas = counts.sum(dim=2)
    shares = counts / areas.clamp_min(1).unsqueeze(2)
    return torch.einsum("brn,bcn->brc", shares.to(features), features.flatten(2)), areas


def _locate_cells(size: torch.Size, grid: torch.Size | tuple[int, int], *, device: torch.device) -> tuple[Tensor, ...]:
    """Return the row (H,) and the column (W,) of the cell of a grid (h, w) that each pixel of (H, W) lies in."""
    return tuple(torch.arange(n, device=device) * cells // n for n, cells in zip(size, grid, strict=True))


def mark_unlabeled(labels: Tensor, *, num_classes: int) -> Tensor:
    """Mark the pixels of labels (B, H, W) that are unlabeled: (B, H, W) bool."""
    return labels == get_ignore_label(num_classes)


def add_regions(labels: Tensor, regions: Regions, *, num_seen: int) -> Tensor:
    """Return labels (B, H, W) with the pixels of region r labeled as class num_seen + r."""
    ignore = get_ignore_label(num_seen + regions.is_present.shape[1])
    unlabeled = torch.where(regions.ids == NO_REGION, ignore, regions.ids + num_seen)
    return torch.where(labels == get_ignore_label(num_seen), unlabeled, labels)
