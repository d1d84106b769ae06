"""Feature pyramid of an encoder from segmentation-models-pytorch or timm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from benchmark.utils.input_files import record_input
from methods.blocks.bodies.smp_body import TOY_BODY
from methods.blocks.clip.assets import TOY
from methods.blocks.file_digest import record_tensors
from methods.blocks.images import IMAGENET_MEAN, IMAGENET_STD, Normalize
from methods.blocks.mask_former.config import PyramidConfig, select_encoder
from methods.blocks.weight_files import load_tensors, read_tensors


class Pyramid(nn.Module):
    """Features of the last stages of an encoder.

    Attributes:
        channels: Channels of each level, from the finest to the coarsest.
        stride: Pixels per position of the coarsest level, which must divide the sides of images.
        mask_stride: Pixels per position of the finest level.

    Raises:
        ValueError: The encoder cannot be built, or its weights cannot be loaded.
    """

    encoder: Any

    def __init__(self, config: PyramidConfig) -> None:
        super().__init__()
        self.normalize = Normalize(IMAGENET_MEAN, IMAGENET_STD)
        self.encoder = config.build_encoder()
        self.levels = config.levels
        self.channels: tuple[int, ...] = tuple(self.encoder.out_channels[-config.levels :])
        self.stride, self.mask_stride = 2**config.depth, 2 ** (config.depth - config.levels + 1)
        if config.weights == "imagenet":
            record_tensors(f"imagenet: {config.encoder}", self.encoder)
        elif config.weights is not None:
            _load_encoder(self.encoder, TOY_BODY if config.weights == TOY else Path(config.weights).expanduser())
        if config.batch_norm == "frozen":
            for norm in self.encoder.modules():
                if isinstance(norm, _BatchNorm):
                    norm.requires_grad_(False)  # which `Method.train` keeps in eval mode

    def forward(self, images: Tensor) -> list[Tensor]:
        """Extract features.

        Args:
            images: (B, 3, H, W) RGB in 0-255, H and W multiples of the stride.

        Returns:
            One map (B, C_i, H/s_i, W/s_i) for each level, from the finest, s = `mask_stride`, to the coarsest, s =
            `stride`.
        """
        if images.device.type == "cpu":  # the layout in which pooling and norms are vectorized
            images = images.contiguous(memory_format=torch.channels_last)
        features: list[Tensor] = self.encoder(self.normalize(images))
        return list(features[-self.levels :])


def _load_encoder(encoder: nn.Module, path: Path) -> None:
    """Load an encoder from its own weight file or that of a body."""
    record_input(path)
    load_tensors(encoder, select_encoder(read_tensors(path)), description=f"{path} and the encoder")
