"""Maps of the tagged classes of an image: activation maps that CLIP's attention spreads."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor, nn

from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.clip.positions import Interpolation
from methods.blocks.clip_es.activation_maps import ActivationMaps, Objective, compute_activation_maps, rescale
from methods.blocks.clip_es.attention_affinity import Borders, compute_affinity, spread
from methods.blocks.dense_clip.block_inputs import iterate_blocks
from methods.blocks.images import Normalize
from methods.blocks.padding import Grid


class EncodedImage(NamedTuple):
    """An image before the last block of CLIP.

    Attributes:
        tokens: (1, P + N, C) before the last block.
        grid: h and w of the N patches.
        attentions: (N, N) of the last blocks before that one, averaged over heads, without the class token.
    """

    tokens: Tensor
    grid: Grid
    attentions: list[Tensor]


class ClassMaps(nn.Module):
    """Maps of classes from a frozen CLIP.

    Args:
        encoder: CLIP's image encoder.
        objective: What is differentiated.
        num_blocks: Number of the last blocks whose attention spreads the maps; 0 to spread nothing.
        threshold: Share of a map's maximum that must be exceeded in the boxes from which the map is spread.
        borders: Whether these boxes include the last row and the last column.
        interpolation: Interpolation of CLIP's positions.
        temperature: Inverse temperature of the cosines.
    """

    def __init__(
        self,
        encoder: ClipImageEncoder,
        *,
        objective: Objective,
        num_blocks: int,
        threshold: float,
        borders: Borders,
        interpolation: Interpolation,
        temperature: float,
    ) -> None:
        super().__init__()
        self.encoder, self.objective, self.interpolation = encoder, objective, interpolation
        self.num_blocks, self.threshold, self.borders = num_blocks, threshold, borders
        self.temperature = temperature
        self.normalize = Normalize(encoder.mean, encoder.std)

    def encode(self, images: Tensor) -> EncodedImage:
        """Run all blocks but the last: images (1, 3, H, W), RGB in 0-255, H and W multiples of the patch size."""
        with torch.no_grad():
            tokens, grid = self.encoder.embed(self.normalize(images), interpolation=self.interpolation)
            tokens = self.encoder.enter(tokens)
            start = self.encoder.num_prefix
            attentions = deque[Tensor](maxlen=max(0, self.num_blocks - 1))
            for weights, after in iterate_blocks(self.encoder, tokens, grid=grid):
                attentions.append(weights.mean(dim=1)[0, start:, start:])
                tokens = after
        return EncodedImage(tokens, grid, list(attentions))

    def activate(self, image: EncodedImage, candidates: Tensor, *, classes: Tensor) -> ActivationMaps:
        """Compute activation maps.

        Args:
            image: Result of `encode`.
            candidates: (M, D) unit vectors of all classes that compete.
            classes: (T,) indices of the candidates that get a map.
        """
        return compute_activation_maps(
            self.encoder,
            image.tokens,
            candidates,
            grid=image.grid,
            classes=classes,
            temperature=self.temperature,
            objective=self.objective,
        )

    def forward(self, image: EncodedImage, candidates: Tensor, *, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Compute maps (T, h, w) in 0-1 and probabilities (T,) of classes; arguments as in `activate`."""
        if not len(classes):
            return image.tokens.new_zeros(0, *image.grid), image.tokens.new_zeros(0)
        activation = self.activate(image, candidates, classes=classes)
        maps = rescale(self.spread(image, activation)) if self.num_blocks else activation.maps
        return maps.unflatten(1, image.grid), activation.probabilities

    def spread(self, image: EncodedImage, activation: ActivationMaps) -> Tensor:
        """Spread activation maps (T, N) by the mean attention of the last blocks, not scaled to 0-1: (T, N)."""
        with torch.autocast(image.tokens.device.type, enabled=False):
            attentions = [attention.float() for attention in (*image.attentions, activation.attention)]
            affinity = compute_affinity(torch.stack(attentions).mean(dim=0))
            return spread(activation.maps, affinity, grid=image.grid, threshold=self.threshold, borders=self.borders)
