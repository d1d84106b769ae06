"""The trained segmentation body: encoder and decoder from segmentation-models-pytorch, without a classifier.

Or one of Detectron2's, see `methods.blocks.bodies.d2.body`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.core.method import Config
from methods.blocks.bodies.d2.body import PREFIX, D2Body, D2BodyConfig
from methods.blocks.clip.config import ASSETS
from methods.blocks.file_digest import with_digest
from methods.blocks.images import IMAGENET_MEAN, IMAGENET_STD, Normalize

TOY_BODY = ASSETS / "toy_body.safetensors"


class BodyConfig(Config):
    """Which body.

    Attributes:
        encoder: a name of segmentation-models-pytorch ("resnet50") or timm ("tu-convnext_tiny").
        weights: "imagenet" (fetched by segmentation-models-pytorch), "toy" (the ones that ship), the path of a
            safetensors file, or None for random ones.
        sha256: of a file given by path, filled in when the config is made.
        depth: stages of the encoder; with dilation the output stride is the one below all the same.
        stride: pixels per feature, in both directions.
        channels: width of the features.
        rates: dilations of the decoder's pyramid (DeepLabV3, arXiv 1706.05587).
    """

    encoder: str = "resnet50"
    weights: str | None = "imagenet"
    depth: int = 5
    stride: Literal[8, 16] = 8
    channels: int = 256
    rates: tuple[int, int, int] = (12, 24, 36)
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _content_is_named(cls, given: Any) -> Any:
        return with_digest(given, "weights")


def _kind(given: Any) -> str | None:
    """Which body a value describes. Not a field: it would be part of the text of runs that were made without it."""
    if isinstance(given, str):
        return "d2" if given.startswith(PREFIX) else None
    names_config = isinstance(given, Mapping) and "config" in given
    return "d2" if names_config or isinstance(given, D2BodyConfig) else "smp"


AnyBodyConfig = Annotated[
    Annotated[BodyConfig, Tag("smp")] | Annotated[D2BodyConfig, Tag("d2")],
    Discriminator(
        _kind,
        custom_error_type="body",
        custom_error_message=f"expected {PREFIX}<config>, as in {PREFIX}Misc/semantic_R_50_FPN_1x.yaml, or fields",
    ),
]


class Body(nn.Module):
    """Images to features: (B, 3, H, W) RGB 0-255 to (B, channels, H/stride, W/stride)."""

    decoder: nn.Module
    encoder: nn.Module

    def __init__(self, config: BodyConfig) -> None:
        super().__init__()
        self.channels, self.stride = config.channels, config.stride
        self.normalize = Normalize(IMAGENET_MEAN, IMAGENET_STD)
        network = _network(config)
        self.encoder, self.decoder = network.encoder, network.decoder
        if config.weights not in (None, "imagenet"):
            load_body(self, TOY_BODY if config.weights == "toy" else Path(config.weights))

    def forward(self, images: Tensor) -> Tensor:
        """Raises ValueError where height or width is not a multiple of the stride."""
        if images.shape[2] % self.stride or images.shape[3] % self.stride:
            raise ValueError(f"images are {tuple(images.shape[2:])}, the body needs multiples of {self.stride}")
        features: Tensor = self.decoder(self.encoder(self.normalize(images)))
        return features


AnyBody = Body | D2Body


def build_body(config: BodyConfig | D2BodyConfig) -> AnyBody:
    """The body of a config. Raises what its class raises where it cannot be built."""
    return D2Body(config) if isinstance(config, D2BodyConfig) else Body(config)


def _network(config: BodyConfig) -> Any:
    import segmentation_models_pytorch as smp  # not above: it takes seconds, and a plan builds nothing

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
            return smp.DeepLabV3(
                encoder_name=config.encoder,
                encoder_weights="imagenet" if config.weights == "imagenet" else None,
                encoder_depth=config.depth,
                encoder_output_stride=config.stride,
                decoder_channels=config.channels,
                decoder_atrous_rates=config.rates,
                decoder_aspp_dropout=0.0,
            )
    except (KeyError, RuntimeError, OSError) as error:
        line = str(error).splitlines()[0][:200]
        raise ValueError(
            f"cannot build encoder {config.encoder!r} with weights {config.weights!r} ({line}); without a network, "
            f"set body.weights to null or to the path of a safetensors file"
        ) from error


def load_body(body: Body, path: Path) -> None:
    """Fill encoder and decoder from a safetensors file (float16 is widened).

    Raises:
        ValueError: the file is missing, broken, or of another architecture.
    """
    try:
        state = load_file(path)
        body.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        line = str(error).splitlines()[0][:200]
        raise ValueError(f"{path} does not hold the weights of this body ({line})") from error
