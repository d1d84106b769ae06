"""Targets of candidate queries: masks of pseudo regions and CLIP's embeddings of them, which a loss contrasts."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config
from benchmark.core.types import Batch
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.embedding_bank import EmbeddingBank
from methods.blocks.mask_matching import MaskTargets, Matches, stack_mask_targets
from methods.blocks.masked_crops import MaskedCropConfig, MaskedCropEncoder
from methods.blocks.region_clustering import RegionConfig, Regions, RegionTeacher

CROP_BATCH = 128
"""Number of crops that are encoded at once, which limits the memory."""

Queries = Literal["split", "shared", "joined"]
"""Each matching has queries of its own, both have all queries, or one matching has all queries and all masks."""


class CandidateConfig(Config):
    """Settings of the second matching.

    Attributes:
        queries: Which queries each matching has.
        count: Number of candidate queries, the last ones of the segmenter, if the queries are split.
        regions: How unlabeled pixels become regions.
        embedding: CLIP's embedding of a region: class token of its masked crop, or mean of its dense embeddings.
        crop_size: Side of a masked crop in pixels, rounded to CLIP's patches; None for the size of CLIP's input.
        temperature: Temperature of the contrastive loss.
        bank: Number of embeddings of earlier regions that serve as negatives.
    """

    queries: Queries = "split"
    count: int = Field(default=50, ge=1)
    regions: RegionConfig = RegionConfig()
    embedding: Literal["crop", "dense"] = "crop"
    crop_size: int | None = Field(default=None, ge=1)
    temperature: float = Field(default=0.07, gt=0)
    bank: int = Field(default=24, ge=0)


class CandidateRegions(nn.Module):
    """Pseudo regions as targets.

    Args:
        clip: A frozen CLIP, the teacher.
        encoder: Its image encoder.
        config: Settings of the second matching.

    Attributes:
        config: Settings of the second matching.
    """

    def __init__(self, clip: Any, encoder: ClipImageEncoder, config: CandidateConfig) -> None:
        super().__init__()
        self.encoder, self.config = encoder, config
        self.teacher = RegionTeacher(encoder, config.regions)
        side, patch = config.crop_size, encoder.patch_size
        whole_patches = None if side is None else max(1, round(side / patch)) * patch
        self.cropper = MaskedCropEncoder(clip, MaskedCropConfig(), side=whole_patches)

    @torch.no_grad()
    def forward(self, batch: Batch, images: Tensor, is_unlabeled: Tensor) -> tuple[Regions, MaskTargets]:
        """Find the regions of a batch.

        Args:
            batch: B samples.
            images: (B, 3, H, W), RGB in 0-255.
            is_unlabeled: (B, H, W) bool, without padding.

        Returns:
            Regions with their embeddings, and their masks; "classes" of the masks are the numbers of the regions.
        """
        regions = self.teacher(batch, is_unlabeled)
        counts = regions.is_present.sum(dim=1).tolist()
        numbers = [torch.arange(count, device=images.device) for count in counts]
        masks = [image[:, None, None] == ids for ids, image in zip(regions.ids, numbers, strict=True)]
        if self.config.embedding == "crop" and sum(counts):
            embeddings = torch.zeros_like(regions.embeddings)
            embeddings[regions.is_present] = self.encode_crops(images, masks)
            regions = regions._replace(embeddings=embeddings)
        return regions, stack_mask_targets(numbers, masks, size=is_unlabeled.shape[1:], valid=is_unlabeled)

    def encode_crops(self, images: Tensor, masks: list[Tensor]) -> Tensor:
        """Compute CLIP's embeddings of masked crops.

        Args:
            images: (B, 3, H, W), RGB in 0-255.
            masks: B times (R_b, H, W) bool, none empty.

        Returns:
            (ΣR_b, D) unit vectors, image by image.
        """
        crops = torch.cat([self.cropper.crop(image, regions)[0] for image, regions in zip(images, masks, strict=True)])
        parts = []
        for part in crops.split(CROP_BATCH):
            tokens, grid = self.encoder.embed(part)
            parts.append(self.encoder.encode_image(tokens, grid=grid).float())
        return F.normalize(torch.cat(parts), dim=1)


class RegionContrast(nn.Module):
    """InfoNCE between queries and their regions; negatives are other regions of the batch and a bank of earlier ones.

    It is no part of `CandidateRegions`, which is frozen and hence not in checkpoints, because the bank must be in them.

    Args:
        config: Temperature and size of the bank.
        dimension: Length D of an embedding.
    """

    def __init__(self, config: CandidateConfig, *, dimension: int) -> None:
        super().__init__()
        self.temperature = config.temperature
        self.bank = EmbeddingBank(config.bank, dimension=dimension)

    def forward(self, queries: Tensor, matches: Matches, regions: Regions) -> Tensor:
        """Compute the loss of matched queries.

        Args:
            queries: (B, Q, D) unit vectors.
            matches: Pairs of queries and regions.
            regions: Regions of the batch.

        Returns:
            () mean over the pairs; 0 without a pair.
        """
        if not len(matches.images):
            return queries.sum() * 0
        is_present = regions.is_present
        contrasted = torch.cat([regions.embeddings[is_present], self.bank()])  # (N + M, D)
        rows = is_present.flatten().cumsum(0).view_as(is_present) - 1  # row of each present region
        logits = queries[matches.images, matches.queries] @ contrasted.T / self.temperature
        return F.cross_entropy(logits, rows[matches.images, matches.targets])

    def remember(self, regions: Regions) -> None:
        """Put the embeddings of the regions of a batch into the bank."""
        self.bank.add(regions.embeddings[regions.is_present])
