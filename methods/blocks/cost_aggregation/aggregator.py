"""Cost aggregation: layers that refine the cost volume of an image and a vocabulary, and the decoder of its result."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.cost_aggregation.classes import ClassAggregation
from methods.blocks.cost_aggregation.config import AggregatorConfig, CostDecoderConfig
from methods.blocks.cost_aggregation.costs import (
    CostEmbedding,
    compute_costs,
    gather_classes,
    scatter_classes,
    select_classes,
)
from methods.blocks.cost_aggregation.decoder import CostDecoder
from methods.blocks.cost_aggregation.spatial import SpatialAggregation


class AggregationLayer(nn.Module):
    """Aggregation over positions, then over classes.

    Args:
        config: Parts, and channels of their guidance.
        side: Height and width of the cost maps.
    """

    spatial: SpatialAggregation | None
    classes: ClassAggregation | None

    def __init__(self, config: AggregatorConfig, *, side: int) -> None:
        super().__init__()
        width, heads, spatial, classes = config.width, config.heads, config.spatial, config.classes
        self.spatial = self.classes = None
        if spatial is not None:
            guidance = config.image_guidance or 0
            self.spatial = SpatialAggregation(width, guidance, heads=heads, side=side, window=spatial.window)
        if classes is not None:
            guidance = config.text_guidance or 0
            self.classes = ClassAggregation(width, guidance, heads=heads, pool=classes.pool, slots=config.slots)

    def forward(self, maps: Tensor, image_guidance: Tensor | None, text_guidance: Tensor | None) -> Tensor:
        """Aggregate maps (B, K, h, w, C) with guidance (B, h, w, G) and (B or 1, K, G'): the shape stays the same."""
        if self.spatial is not None:
            maps = self.spatial(maps, image_guidance)
        return maps if self.classes is None else self.classes(maps, text_guidance)


class CostAggregator(nn.Module):
    """The whole path from dense image features and class embeddings to logits.

    Args:
        config: Layers of the aggregator.
        decoder: Stages of the decoder.
        dimension: Length D of embeddings that images and texts share.
        width: Channels of CLIP's tokens, which guide the decoder.
        side: Height and width of the maps of CLIP.
        texts: Number T of embeddings per class.
    """

    def __init__(
        self,
        config: AggregatorConfig,
        decoder: CostDecoderConfig,
        *,
        dimension: int,
        width: int,
        side: int,
        texts: int = 1,
    ) -> None:
        super().__init__()
        self._slots = config.slots
        has_image_guidance = config.image_guidance is not None and config.spatial is not None and config.layers > 0
        has_text_guidance = config.text_guidance is not None and config.classes is not None and config.layers > 0
        self.embed = CostEmbedding(texts=texts, width=config.width)
        self.project_image = (
            nn.Conv2d(dimension, config.image_guidance or 0, kernel_size=3, padding=1) if has_image_guidance else None
        )
        self.project_text = nn.Linear(dimension, config.text_guidance or 0) if has_text_guidance else None
        self.layers = nn.ModuleList(AggregationLayer(config, side=side) for _ in range(config.layers))
        self.decoder = CostDecoder(decoder, channels=config.width, width=width)

    def forward(self, dense: Tensor, embeddings: Tensor, taps: Sequence[Tensor]) -> Tensor:
        """Compute the logits of every class.

        Args:
            dense: (B, D, h, w) features of CLIP, not normalized.
            embeddings: (K, T, D) unit vectors.
            taps: Patches (B, width, h, w) of an earlier block of CLIP for each stage of the decoder.

        Returns:
            (B, K, H, W) logits at the resolution of the decoder.
        """
        costs = compute_costs(dense, embeddings)
        classes = select_classes(costs, slots=self._slots)
        maps = self.embed(gather_classes(costs, classes))  # (B, N, h, w, C)
        image_guidance, text_guidance = self._project(dense, embeddings)
        if text_guidance is not None and classes is not None:
            text_guidance = gather_classes(text_guidance.expand(len(dense), -1, -1), classes)
        for layer in self.layers:
            maps = layer(maps, image_guidance, text_guidance)
        return scatter_classes(self.decoder(maps, taps), classes, count=len(embeddings))

    def _project(self, dense: Tensor, embeddings: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the guidance of all layers: (B, h, w, G) of the image, (1, K, G') of the classes."""
        image = text = None
        if self.project_image is not None:
            image = F.relu(self.project_image(dense)).permute(0, 2, 3, 1)
        if self.project_text is not None:
            text = F.relu(self.project_text(F.normalize(embeddings.mean(dim=1), dim=-1)))[None]
        return image, text
