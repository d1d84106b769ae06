"""Models whose features say which positions belong together: a self-supervised ViT of timm, or a body's encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from benchmark.core.budget import Budget
from benchmark.core.method import Config
from benchmark.utils.input_files import record_input
from methods.blocks.bodies.build import BodyConfig, build_body
from methods.blocks.bodies.imagenet import check_imagenet_weights
from methods.blocks.bodies.smp_body import SmpBodyConfig
from methods.blocks.file_digest import add_digest, record_tensors
from methods.blocks.images import IMAGENET_MEAN, IMAGENET_STD, Normalize
from methods.blocks.network_names import name_timm_model
from methods.blocks.weight_files import load_tensors, read_tensors


class TimmProxyConfig(Config):
    """A vision transformer of timm, without its classifier.

    Attributes:
        model: Name in timm.
        features: Features of a patch: its token after the final norm, or the sum of its query and its key in the last
            block, all heads in one vector (CorrCLIP, arXiv 2411.10086).
        weights: "pretrained" for those of timm, the path of a weight file, or "random": the same in every run, because
            the methods of this family draw nothing.
        sha256: Digest of a file given by path; computed when the config is created.
    """

    file_fields: ClassVar[Mapping[str, str]] = {"weights": "sha256"}

    kind: Literal["timm"] = "timm"
    model: str = "vit_base_patch8_224.dino"
    features: Literal["tokens", "query+key"] = "tokens"
    weights: str = "pretrained"
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _add_digest(cls, fields: Any) -> Any:
        return add_digest(fields, "weights")

    def describe_backbone(self) -> tuple[str, ...]:
        """Return nothing: the other model is beside the backbone."""
        return ()

    def describe_extra_models(self) -> tuple[str, ...]:
        """Return the name of the model, such as "DINO ViT-B/8"."""
        return (name_timm_model(self.model, self.weights, is_file=bool(self.sha256)),)

    def check_plan(self, budget: Budget) -> None:
        """Check that the model exists and that its weights are there or can be downloaded.

        Raises:
            ValueError: timm has no such model, it is no vision transformer, it has no such features, or there are no
                weights.
        """
        super().check_plan(budget)
        with torch.device("meta"):
            network = _build_network(self.model, is_pretrained=False)
        if self.features == "query+key" and not hasattr(network.blocks[-1].attn, "qkv"):
            raise ValueError(f"{self.model!r} has no queries and keys to add: set dense.proxy.features to tokens")
        if self.weights == "pretrained":
            check_imagenet_weights(f"tu-{self.model}", setting="dense.proxy.weights", untrained="random")


class BodyProxyConfig(Config):
    """The encoder of a segmentation body, without its decoder.

    Attributes:
        body: The body.
    """

    kind: Literal["body"] = "body"
    body: BodyConfig = SmpBodyConfig()

    def describe_backbone(self) -> tuple[str, ...]:
        """Return nothing: the body is beside the backbone."""
        return ()

    def describe_extra_models(self) -> tuple[str, ...]:
        """Return the name of the body's encoder, such as "ResNet-50"."""
        return (self.body.describe_encoder(),)


ProxyModelConfig = Annotated[TimmProxyConfig | BodyProxyConfig, Field(discriminator="kind")]
"""Config of a model that maps images (B, 3, H, W), RGB in 0-255, to features (B, C, h, w)."""


class TimmProxy(nn.Module):
    """Features of the patches of a frozen vision transformer."""

    network: Any

    def __init__(self, config: TimmProxyConfig) -> None:
        super().__init__()
        self.network = _build_network(config.model, is_pretrained=config.weights == "pretrained")
        self.patch_size: int = self.network.patch_embed.patch_size[0]
        self.features = config.features
        self.normalize = Normalize(IMAGENET_MEAN, IMAGENET_STD)
        if config.weights == "pretrained":
            record_tensors(f"timm: {config.model}", self.network)
        elif config.weights != "random":
            load_tensors(
                self.network, read_tensors(Path(config.weights)), description=f"{config.weights} and the proxy"
            )
            record_input(config.weights)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Compute features; images are resized to the nearest smaller multiple of the patch size.

        Args:
            images: (B, 3, H, W), RGB in 0-255.

        Returns:
            (B, C, H // patch, W // patch).
        """
        height, width = (side // self.patch_size * self.patch_size for side in images.shape[2:])
        resized = F.interpolate(self.normalize(images), size=(height, width), mode="bilinear", align_corners=False)
        if self.features == "query+key":
            return self._add_queries_and_keys(resized)
        levels = self.network.forward_intermediates(resized, indices=1, norm=True, intermediates_only=True)
        features: Tensor = levels[-1]
        return features

    def _add_queries_and_keys(self, images: Tensor) -> Tensor:
        """Compute the sum of queries and keys in the last block: normalized images (B, 3, H, W) to (B, C, h, w)."""
        *blocks, last = self.network.blocks
        levels = self.network.forward_intermediates(
            images, indices=[len(blocks) - 1], intermediates_only=True, stop_early=True
        )
        query, key, _ = last.attn.qkv(last.norm1(levels[-1].movedim(1, 3))).chunk(3, dim=3)
        features: Tensor = (query + key).movedim(3, 1)
        return features


class BodyProxy(nn.Module):
    """Features of a frozen body's encoder."""

    encoder: Any
    normalize: Any

    def __init__(self, config: BodyProxyConfig) -> None:
        super().__init__()
        body = build_body(config.body)
        self.encoder, self.normalize = body.encoder, body.normalize
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Compute features: images (B, 3, H, W), RGB in 0-255, to (B, C, H/stride, W/stride)."""
        features: Tensor = self.encoder(self.normalize(images))[-1]
        return features


def build_proxy(config: TimmProxyConfig | BodyProxyConfig) -> nn.Module:
    """Build the frozen model that a config describes."""
    return TimmProxy(config) if isinstance(config, TimmProxyConfig) else BodyProxy(config)


def _build_network(model: str, *, is_pretrained: bool) -> Any:
    import timm

    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = timm.create_model(model, pretrained=is_pretrained, num_classes=0, dynamic_img_size=True)
    except (RuntimeError, ValueError, TypeError) as error:
        line = str(error).splitlines()[0][:150]
        raise ValueError(f"dense.proxy.model {model!r} is no vision transformer of timm ({line})") from error
    return network
