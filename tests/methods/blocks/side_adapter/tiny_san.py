"""A tiny SAN with the random weights that the outputs of the official code in `official/` were computed with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor

from methods.blocks import ClipImageEncoder, TextBank
from methods.blocks.images import CLIP_MEAN, CLIP_STD
from methods.blocks.mask_matching import PointSamplingConfig
from methods.blocks.side_adapter import BiasedTokensConfig, SideAdapter, SideAdapterConfig, build_recognition
from methods.san import MATCHING, San, convert_official

OFFICIAL = Path(__file__).parent / "official"
NAMES = ("a", "b", "c", "d", "e")
SIDE = SideAdapterConfig(width=24, depth=5, heads=3, patch=8, image_size=64, queries=6, channels=16)


class Vectors:
    """Five fixed unit vectors."""

    dimension = 16

    def embed(self, names: Sequence[str]) -> Tensor:
        vectors = np.random.RandomState(2).randn(5, 16)
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return torch.tensor(vectors.astype(np.float32))[[NAMES.index(name) for name in names]]


def build_tiny_encoder() -> ClipImageEncoder:
    """Return an image encoder of eight blocks of width 32, patches of 8, for images of 32x32."""
    visual = VisionTransformer(
        image_size=32, patch_size=8, width=32, layers=8, heads=2, mlp_ratio=4.0, output_dim=16, act_layer=QuickGELU
    )
    visual.image_mean, visual.image_std = CLIP_MEAN, CLIP_STD
    return ClipImageEncoder(visual.eval().requires_grad_(False))


def build_tiny_san(side: SideAdapterConfig = SIDE) -> San:
    """Return the method before any weights are loaded, with the vocabulary of five names."""
    encoder = build_tiny_encoder()
    encoder.visual.positional_embedding.requires_grad_()
    method = San(
        image_encoder=encoder,
        text=TextBank(Vectors()),
        side=SideAdapter(side, clip_width=encoder.width, clip_depth=encoder.depth),
        recognition=build_recognition(BiasedTokensConfig(), side=side, encoder=encoder),
        matching=MATCHING.model_copy(update={"sampling": PointSamplingConfig(points=64)}),
        clip_scale=0.5,
        log_scale=torch.tensor(0.0),
    )
    method.set_classes(NAMES)
    return method


def read_official_state() -> dict[str, Tensor]:
    """Return the state dict of the official model: its names and shapes, and the weights that were drawn for it."""
    shapes: dict[str, list[int]] = json.loads((OFFICIAL / "san.json").read_text(encoding="utf-8"))
    generator = np.random.RandomState(0)
    state = {name: torch.tensor(_draw(name, shapes[name], generator)) for name in sorted(shapes)}
    return state | {"ov_classifier.logit_scale": torch.tensor(2.5)}


def load_tiny_san() -> San:
    """Return the tiny method with the official weights."""
    method = build_tiny_san()
    method.load_state_dict(convert_official(read_official_state(), method))
    return method


def _draw(name: str, shape: Sequence[int], generator: np.random.RandomState) -> NDArray[np.float32]:
    values = np.asarray(generator.randn(*shape))
    if "embed" in name.rsplit(".", 1)[-1]:
        values = values / 2
    elif name.endswith("bias"):
        values = values / 10
    elif len(shape) == 1:
        values = 1 + values / 10
    elif name.endswith("proj"):
        values = values / np.sqrt(shape[0])
    else:
        values = values / np.sqrt(np.prod(shape[1:]))
    drawn: NDArray[np.float32] = np.asarray(values, dtype=np.float32)
    return drawn
