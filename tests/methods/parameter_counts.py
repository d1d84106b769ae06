"""Numbers of trained parameters at full size, to compare with published ones."""

from __future__ import annotations

from typing import Any

import open_clip
import torch
from open_clip.transformer import VisionTransformer
from torch import nn

from methods.blocks.clip import ClipImageEncoder

SELF_ATTENTION = 4 * 512**2 + 4 * 512
"""Parameters of the self-attention that each official decoder layer has and never runs: 1,050,624."""


def build_vit_b_16() -> ClipImageEncoder:
    """Return the image encoder of ViT-B-16, frozen, on the device of the caller."""
    sizes: dict[str, Any] = {"image_size": 224, "patch_size": 16, "width": 768, "layers": 12, "heads": 12}
    visual: Any = VisionTransformer(**sizes, mlp_ratio=4, output_dim=512)
    visual.image_mean = visual.image_std = (0.5, 0.5, 0.5)
    return ClipImageEncoder(visual.requires_grad_(False))


def build_clip(model: str) -> Any:
    """Return a CLIP of open_clip with both encoders and random weights, frozen, on the device of the caller."""
    return open_clip.create_model(model, device=torch.get_default_device()).requires_grad_(False)


def count_linear(inputs: int, outputs: int) -> int:
    """Count the weights and biases of a linear map."""
    return (inputs + 1) * outputs


def count_all(module: nn.Module) -> int:
    """Count all parameters."""
    return sum(value.numel() for value in module.parameters())


def count_trained(*modules: nn.Module) -> int:
    """Count the parameters that require gradients."""
    return sum(value.numel() for module in modules for value in module.parameters() if value.requires_grad)


def count_unused(layers: int = 3) -> int:
    """Count weights of an official decoder that influence nothing, its self-attention left out.

    Each layer has a norm after the self-attention; the last one has values, output projection, MLP and two norms.
    """
    linear, norm = 512**2 + 512, 2 * 512
    mlp = 512 * 2048 + 2048 + 2048 * 512 + 512
    return layers * norm + 2 * linear + mlp + 2 * norm
