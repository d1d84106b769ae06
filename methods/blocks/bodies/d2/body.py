"""A trained body from Detectron2: the backbone of any config file, with a semantic head as decoder.

`body=d2:NAME` in a method's config, or `body={config: NAME, decoder: fpn, ...}`. The body is an ordinary module, so
every engine trains it. Detectron2 is imported when a body is built, not when a run is planned.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.utils.optional_packages import require_detectron2
from methods.blocks.bodies.d2.config import D2BodyConfig


class D2Body(nn.Module):
    """Features of a Detectron2 model, images (B, 3, H, W) to (B, channels, H/stride, W/stride).

    Submodules have the same names as in Detectron2's models, so its checkpoints can be loaded.

    Raises:
        KeyError: Detectron2 has no such config; the message names the closest match.
        ValueError: Detectron2 is not installed, the config describes no body, or its weights cannot be loaded.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: D2BodyConfig) -> None:
        super().__init__()
        require_detectron2()
        from methods.blocks.bodies.d2.build import build_head, read_source  # not above: they import Detectron2
        from methods.blocks.bodies.d2.weights import load_weights

        source = read_source(config.config)
        head = build_head(source, config)
        self.stride: int = head.common_stride
        self.channels: int = head.predictor.in_channels
        strides = [source.backbone.output_shape()[name].stride for name in head.in_features]
        self._multiple: int = max(source.backbone.size_divisibility, *strides)
        self._is_bgr = source.order == "BGR"
        head.predictor = nn.Identity()
        self.backbone, self.sem_seg_head = source.backbone, head
        self.register_buffer("pixel_mean", torch.tensor(source.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(source.std).view(3, 1, 1), persistent=False)
        weights = source.weights if config.weights == "config" else config.weights
        if weights:
            load_weights(self, weights)
        else:
            self.requires_grad_()  # layers that Detectron2 freezes to protect loaded weights would stay random

    def forward(self, images: Tensor) -> Tensor:
        """Extract dense features.

        Args:
            images: (B, 3, H, W) RGB in 0-255, H and W multiples of the stride.

        Returns:
            (B, channels, H/stride, W/stride).

        Raises:
            ValueError: Height or width is not a multiple of the stride.
        """
        height, width = images.shape[2:]
        if height % self.stride or width % self.stride:
            raise ValueError(f"images are {(height, width)}, the body needs multiples of {self.stride}")
        images = images.flip(1) if self._is_bgr else images
        normalized = (images - self.pixel_mean) / self.pixel_std
        padded = F.pad(normalized, (0, -width % self._multiple, 0, -height % self._multiple))
        features = self._decode(self.backbone(padded))
        return features[:, :, : height // self.stride, : width // self.stride]

    def _decode(self, features: dict[str, Tensor]) -> Tensor:
        """Run the semantic head up to its classifier; the head's own `forward` also resizes to the image size.

        Args:
            features: Name to features of the backbone, (B, C, h, w) each.

        Returns:
            (B, channels, h, w).
        """
        head: Any = self.sem_seg_head
        if hasattr(head, "layers"):
            decoded: Tensor = head.layers(features)
        else:  # DeepLabV3's head, which has no decoder
            decoded = head.aspp(features[head.in_features[0]])
        return decoded
