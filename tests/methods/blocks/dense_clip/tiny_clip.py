"""The tiny CLIP with random weights that the outputs of official code in `official/` were computed with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor

from methods.blocks.clip import ClipImageEncoder

OFFICIAL = Path(__file__).parent / "official"


def build_tiny_encoder(*, layers: int = 4) -> ClipImageEncoder:
    """Return an image encoder of patches of 16, width 64, two heads and 32 dimensions, trained for 64x64 pixels."""
    visual = VisionTransformer(
        image_size=64,
        patch_size=16,
        width=64,
        layers=layers,
        heads=2,
        mlp_ratio=4.0,
        output_dim=32,
        act_layer=QuickGELU,
    )
    generator = np.random.RandomState(0)
    shapes = {name: tuple(value.shape) for name, value in visual.state_dict().items()}
    visual.load_state_dict({name: torch.tensor(_draw(name, shapes[name], generator)) for name in sorted(shapes)})
    visual.image_mean, visual.image_std = (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)  # images are normalized already
    return ClipImageEncoder(visual.eval().requires_grad_(False))


def _draw(name: str, shape: tuple[int, ...], generator: np.random.RandomState) -> NDArray[np.float32]:
    values = generator.randn(*shape)
    if name.endswith("embedding"):
        values = values / 2
    elif name.endswith("bias"):
        values = values / 10
    elif "ln_" in name:
        values = 1 + values / 10
    elif name == "proj":
        values = values / np.sqrt(shape[0])
    else:
        values = values / np.sqrt(np.prod(shape[1:]))
    return values.astype(np.float32)


def draw_image(height: int, width: int) -> Tensor:
    """Return a normalized image (1, 3, height, width)."""
    return torch.tensor(np.random.RandomState(1).randn(1, 3, height, width).astype(np.float32))


def draw_classes() -> Tensor:
    """Return five unit vectors, (5, 32)."""
    vectors = np.random.RandomState(2).randn(5, 32)
    return torch.tensor((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
