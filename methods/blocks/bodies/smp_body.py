"""A segmentation body from segmentation-models-pytorch: encoder and decoder without a classifier."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from benchmark.core.budget import Budget
from benchmark.core.method import Config
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.input_files import record_input
from methods.blocks.bodies.batch_norm import check_images_per_pass
from methods.blocks.bodies.imagenet import check_imagenet_weights
from methods.blocks.clip.assets import ASSETS, TOY
from methods.blocks.file_digest import add_digest, record_tensors
from methods.blocks.images import IMAGENET_MEAN, IMAGENET_STD, Normalize
from methods.blocks.network_names import name_encoder
from methods.blocks.weight_files import compare_shapes, find_problem_of_file, load_tensors, read_shapes, read_tensors

TOY_BODY = ASSETS / "toy_body.safetensors"
TOY_FIELDS = {"encoder": "tu-test_resnet", "depth": 3, "channels": 96}
"""Fields of the body that the toy weights belong to."""
CLASSIFIER = "segmentation_head."
"""Prefix of the classifier in checkpoints of segmentation-models-pytorch."""
Rate = Annotated[int, Field(ge=1)]
"""Dilation of a convolution."""


class SmpBodyConfig(Config):
    """Encoder, decoder and weights of a body.

    Attributes:
        encoder: Encoder name of segmentation-models-pytorch ("resnet50") or timm ("tu-convnext_tiny").
        weights: "imagenet" (downloaded by segmentation-models-pytorch), "toy" (included in the package), the path of a
            weight file, or None for random weights.
        sha256: Digest of a file given by path; computed when the config is created.
        depth: Number of encoder stages. Dilation keeps the output stride at `stride`.
        stride: Pixels per feature in both directions.
        channels: Number of feature channels.
        rates: Dilations of the decoder's pyramid (DeepLabV3, arXiv 1706.05587).
    """

    file_fields: ClassVar[Mapping[str, str]] = {"weights": "sha256"}

    encoder: str = "resnet50"
    weights: str | None = "imagenet"
    depth: int = Field(default=5, ge=1)
    stride: Literal[8, 16] = 8
    channels: int = Field(default=256, ge=1)
    rates: tuple[Rate, Rate, Rate] = (12, 24, 36)
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _add_digest(cls, fields: Any) -> Any:
        return add_digest(fields, "weights")

    def check_plan(self, budget: Budget) -> None:
        """Check that the body can be built, that its weights exist and fit, and that batch norm gets several images.

        Raises:
            ValueError: The network cannot be built, weights are missing or belong to another network, or a forward
                pass in training has one image.
        """
        check_images_per_pass(budget, layer="the image pooling of the body's decoder (body.decoder.aspp.convs.4)")
        if self.weights == TOY:
            _check_toy(self)
        else:
            _check_weights(self)

    def describe_backbone(self) -> tuple[str, ...]:
        """Return the name of this body, such as "ResNet-50 DeepLabV3"."""
        return (f"{self.describe_encoder()} DeepLabV3",)

    def describe_encoder(self) -> str:
        """Return the name of the encoder, such as "ResNet-50"."""
        return name_encoder(self.encoder, self.weights, is_file=bool(self.sha256))


class SmpBody(nn.Module):
    """DeepLabV3 features on any encoder, images (B, 3, H, W) to (B, channels, H/stride, W/stride).

    Raises:
        ValueError: The network cannot be built, or its weights cannot be loaded.
    """

    decoder: nn.Module
    encoder: nn.Module

    def __init__(self, config: SmpBodyConfig) -> None:
        super().__init__()
        self.channels, self.stride = config.channels, config.stride
        self.normalize = Normalize(IMAGENET_MEAN, IMAGENET_STD)
        network = _build_network(config)
        self.encoder, self.decoder = network.encoder, network.decoder
        if config.weights == "imagenet":
            record_tensors(f"imagenet: {config.encoder}", self.encoder)
        elif config.weights is not None:
            load_body_weights(self, TOY_BODY if config.weights == TOY else Path(config.weights))

    def forward(self, images: Tensor) -> Tensor:
        """Extract dense features.

        Args:
            images: (B, 3, H, W) RGB in 0-255, H and W multiples of the stride.

        Returns:
            (B, channels, H/stride, W/stride).

        Raises:
            ValueError: Height or width is not a multiple of the stride.
        """
        if images.shape[2] % self.stride or images.shape[3] % self.stride:
            raise ValueError(f"images are {tuple(images.shape[2:])}, the body needs multiples of {self.stride}")
        if images.device.type == "cpu":  # the layout in which pooling and norms are vectorized
            images = images.contiguous(memory_format=torch.channels_last)
        features: Tensor = self.decoder(self.encoder(self.normalize(images)))
        return features


def _build_network(config: SmpBodyConfig) -> Any:
    import segmentation_models_pytorch as smp  # not above: importing takes seconds, and planning builds no network

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
    except KeyError as error:
        near = get_close_matches(config.encoder, smp.encoders.get_encoder_names(), n=5, cutoff=0)
        known = explain_unknown_name("encoder", config.encoder, near)
        raise ValueError(f"body.encoder: {known}, others, and tu- with any name of timm") from error
    except (RuntimeError, OSError) as error:
        line = str(error).splitlines()[0][:200]
        raise ValueError(
            f"cannot build encoder {config.encoder!r} with weights {config.weights!r} ({line}); without network "
            f"access, set body.weights to null or to the path of a weight file"
        ) from error


def _check_toy(config: SmpBodyConfig) -> None:
    for name, expected in TOY_FIELDS.items():
        if getattr(config, name) != expected:
            raise ValueError(
                f"body.weights=toy belong to a body with body.{name}={expected}, given {getattr(config, name)}: "
                "set body.weights to null, or leave the other fields as they are"
            )


@lru_cache(maxsize=64)
def _check_weights(config: SmpBodyConfig) -> None:
    """Build a network without memory for its tensors, and compare it with the weights."""
    with torch.device("meta"):
        network = _build_network(config.model_copy(update={"weights": None}))
    if config.weights is None:
        return
    if config.weights == "imagenet":
        check_imagenet_weights(config.encoder)
        return
    file = Path(config.weights).expanduser()
    problem = find_problem_of_file(file)
    if problem:
        raise ValueError(f"body.weights: {file}: {problem}; or set imagenet, toy, or null for random weights")
    found = {name: shape for name, shape in read_shapes(file).items() if not name.startswith(CLASSIFIER)}
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    parts = {name: shape for name, shape in expected.items() if name.startswith(("encoder.", "decoder."))}
    problem = compare_shapes(found, parts)
    if problem:
        raise ValueError(f"body.weights: {file} and the body {problem}")


def load_body_weights(body: SmpBody, path: Path) -> None:
    """Load encoder and decoder from a weight file, converting float16 to float32; a classifier in it is ignored.

    Args:
        body: Body whose tensors are replaced.
        path: Weight file with all tensors of the body, see `methods.blocks.weight_files`.

    Raises:
        ValueError: The file is missing, broken, or belongs to another architecture.
    """
    path = path.expanduser()
    tensors = {name: value for name, value in read_tensors(path).items() if not name.startswith(CLASSIFIER)}
    record_input(path)
    load_tensors(body, tensors, description=f"{path} and the body")
