"""A trained body from Detectron2: any backbone that one of its config files describes, and a semantic head as decoder.

`body=d2:NAME` in a method's config, or `body={config: NAME, decoder: fpn, ...}`. It is a module like any other, so
every engine trains it. Detectron2 itself is loaded when a body is built, not when it is planned.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from benchmark.core.method import Config
from benchmark.utils.optional_packages import require_detectron2
from methods.blocks.file_digest import with_digest

PREFIX = "d2:"


class D2BodyConfig(Config):
    """Which body of Detectron2's.

    A config file is a program: Detectron2 runs it, and unpickles the weights it names. Use none that you do not trust.

    Attributes:
        config: a file by its name below `configs` or `projects/*/configs` of Detectron2, or the path of one's own,
            YAML (yacs) or .py (LazyConfig). Read of it are the backbone, its semantic head, the pixels' statistics and
            order, and where its weights are.
        decoder: "fpn" (Panoptic FPN's semantic head, arXiv 1901.02446) or "deeplab" (DeepLabV3+'s, arXiv 1802.02611) on
            the backbone's features; "" for the config's own semantic head, and "fpn" where it has none.
        stride: pixels per feature, in both directions; None for 8, or what the config's own head has (often 4: sixteen
            times as many features as 16).
        channels: width of the features; None for what the config says.
        weights: "config" for those that the config names, a file or address that Detectron2 reads, or None for random
            ones, all of them trained then. Names are matched by Detectron2's heuristics.
        config_sha256: of a config given by path, filled in when this is made. What that file includes is not in it.
        sha256: of weights given by path, likewise.
    """

    config: str
    decoder: Literal["", "fpn", "deeplab"] = ""
    stride: Literal[4, 8, 16] | None = None
    channels: int | None = Field(default=None, ge=32, multiple_of=32)  # group norm has 32 groups
    weights: str | None = "config"
    config_sha256: str = ""
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: Any) -> Any:
        fields = {"config": given.removeprefix(PREFIX)} if isinstance(given, str) else given
        return with_digest(with_digest(fields, "config", into="config_sha256"), "weights")


class D2Body(nn.Module):
    """Images to features: (B, 3, H, W) RGB 0-255 to (B, channels, H/stride, W/stride).

    The parts have the names that they have in Detectron2's models, so that its checkpoints fit.

    Raises:
        KeyError: Detectron2 has no such config; names the nearest.
        ValueError: Detectron2 is not here; the config describes no body; or its weights are out of reach or of another
            body.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: D2BodyConfig) -> None:
        super().__init__()
        require_detectron2()
        from methods.blocks.bodies.d2.build import build_head, read_source  # not above: they load Detectron2
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
            self.requires_grad_()  # layers that are frozen for the sake of their weights would stay random

    def forward(self, images: Tensor) -> Tensor:
        """Raises ValueError where height or width is not a multiple of the stride."""
        height, width = images.shape[2:]
        if height % self.stride or width % self.stride:
            raise ValueError(f"images are {(height, width)}, the body needs multiples of {self.stride}")
        images = images.flip(1) if self._is_bgr else images
        normalised = (images - self.pixel_mean) / self.pixel_std
        padded = F.pad(normalised, (0, -width % self._multiple, 0, -height % self._multiple))
        features = self._decode(self.backbone(padded))
        return features[:, :, : height // self.stride, : width // self.stride]

    def _decode(self, features: dict[str, Tensor]) -> Tensor:
        """What the semantic head would classify; its own `forward` goes on to the size of the images."""
        head: Any = self.sem_seg_head
        if hasattr(head, "layers"):
            decoded: Tensor = head.layers(features)
        else:  # DeepLabV3's, which has no decoder
            decoded = head.aspp(features[head.in_features[0]])
        return decoded
