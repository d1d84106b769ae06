"""MaskFormer (arXiv 2107.06278): queries, each with an embedding that can be classified and with a mask.

The structure is that of the official code as zsseg and DeOP use it, so that their published checkpoints can be loaded:
an encoder's pyramid, an FPN with group norms, DETR's decoder on the coarsest level, and mask logits as inner products
of mask embeddings with per-pixel features. The classifier is left to the method, since it differs between methods.

The MaskFormer of the package transformers is not used, for four reasons. Its dropout draws from the global random
state, so that runs could not resume bit for bit. Its pixel decoder returns no features that a method could change
before the masks are computed, as Split Matching does. Its classifier and losses are made for a closed set of classes.
And every installation would need the package. The code of this folder is shorter than an adapter would be.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark.core.types import Batch
from methods.blocks.images import IMAGENET_MEAN, stack_images
from methods.blocks.mask_former.config import MaskFormerConfig
from methods.blocks.mask_former.pixel_decoder import PixelDecoder, initialize_convolution
from methods.blocks.mask_former.pyramid import Pyramid
from methods.blocks.mask_former.transformer import QueryDecoder
from methods.blocks.mlp import Mlp
from methods.blocks.padding import get_valid_size, mark_valid_positions


@dataclass(frozen=True, eq=False)
class MaskFormerOutput:
    """Embeddings and masks of queries; L is the number of decoder layers, the last layer last.

    Attributes:
        embeddings: (L, B, Q, width) query embeddings, to be classified.
        masks: (L, B, Q, h, w) mask logits.
        pixels: (B, mask_channels, h, w) per-pixel features.
    """

    embeddings: Tensor
    masks: Tensor
    pixels: Tensor


def stack_for_pyramid(batch: Batch, *, stride: int) -> tuple[Tensor, Tensor | None]:
    """Stack images, padded with the color that the pyramid normalizes to zero, as Detectron2 does.

    Args:
        batch: B samples with images (3, h, w) of any size.
        stride: Divisor of the height and width of the result.

    Returns:
        Images (B, 3, H, W), RGB in 0-255, and which pixels are not padding, (B, H, W) bool; None without padding.
    """
    images = stack_images(batch, stride=stride)
    size = (images.shape[2], images.shape[3])
    marks = mark_valid_positions([get_valid_size(sample) for sample in batch], size, device=images.device)
    if marks is None:
        return images, None
    is_image = marks.unflatten(1, size)
    color = 255 * torch.tensor(IMAGENET_MEAN, device=images.device).view(3, 1, 1)
    return torch.where(is_image[:, None], images, color), is_image


class MaskFormer(nn.Module):
    """Segmenter without a classifier.

    Args:
        config: Sizes.
        enhance: Module from per-pixel features (B, mask_channels, h, w) to others of the same shape, applied before
            masks are computed; None for no change.

    Attributes:
        stride: Pixels that must divide the sides of images.
        mask_stride: Pixels per position of a mask.
        width: Width of the query embeddings.
    """

    def __init__(self, config: MaskFormerConfig, *, enhance: nn.Module | None = None) -> None:
        super().__init__()
        self.pyramid = Pyramid(config.pyramid)
        self.stride, self.mask_stride, self.width = self.pyramid.stride, self.pyramid.mask_stride, config.width
        self.pixel_decoder = PixelDecoder(
            self.pyramid.channels, channels=config.pixel_channels, out_channels=config.mask_channels
        )
        self.decoder = QueryDecoder(
            in_channels=self.pyramid.channels[-1],
            width=config.width,
            queries=config.queries,
            layers=config.layers,
            heads=config.heads,
            hidden=config.hidden,
            dropout=config.dropout,
        )
        if isinstance(self.decoder.project, nn.Conv2d):
            initialize_convolution(self.decoder.project)
        self.embed_masks = Mlp(config.width, config.width, config.mask_channels, layers=3)
        self.enhance = nn.Identity() if enhance is None else enhance

    def forward(
        self, images: Tensor, *, generator: torch.Generator | None = None, only_last: bool = False
    ) -> MaskFormerOutput:
        """Compute queries and their masks.

        Args:
            images: (B, 3, H, W) RGB in 0-255, H and W multiples of the stride.
            generator: CPU generator of the dropout; None outside training.
            only_last: Whether the last decoder layer alone is returned, L = 1, which suffices for prediction.

        Returns:
            Embeddings and masks; h and w are H and W divided by `mask_stride`.
        """
        levels = self.pyramid(images)
        pixels = self.enhance(self.pixel_decoder(levels))
        embeddings = self.decoder(levels[-1], generator=generator)
        if only_last:
            embeddings = embeddings[-1:]
        masks = torch.einsum("lbqc,bchw->lbqhw", self.embed_masks(embeddings), pixels)
        return MaskFormerOutput(embeddings=embeddings, masks=masks, pixels=pixels)
