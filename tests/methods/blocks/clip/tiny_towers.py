"""Tiny open_clip models with architectures in `towers/`: with networks of timm as image encoders, and with a ResNet."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from timm.models import register_model
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from methods.blocks.clip import ClipConfig, load_clip
from methods.blocks.clip.config import Clip
from methods.blocks.clip.user_folder import VARIABLE

ARCHITECTURES = Path(__file__).parent / "towers"
RESNET = "tiny-resnet"
MODELS = sorted(file.stem for file in ARCHITECTURES.glob("*.json") if file.stem != RESNET)
"""Models whose image encoders are networks of timm."""

__all__ = ["ARCHITECTURES", "MODELS", "RESNET", "load_tiny"]  # timm adds the names of the networks

SIZES: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 3, "num_heads": 2}
Norm = partial(nn.LayerNorm, eps=1e-6)
EVA: dict[str, Any] = {**SIZES, "norm_layer": Norm}
ROPE: dict[str, Any] = {**EVA, "use_rot_pos_emb": True, "ref_feat_shape": (3, 3)}


def _build(kind: Callable[..., Any], *, options: dict[str, Any], given: dict[str, Any]) -> Any:
    """Build a network of timm from its options and what open_clip gives."""
    known = {name: value for name, value in given.items() if name in ("num_classes", "global_pool")}
    network = kind(**{**options, **known})
    network.default_cfg = {}
    return network


@register_model
def tiny_siglip(**given: Any) -> Any:
    return _build(VisionTransformer, options={**SIZES, "class_token": False, "global_pool": "map"}, given=given)


@register_model
def tiny_mean(**given: Any) -> Any:
    return _build(VisionTransformer, options={**SIZES, "class_token": False, "global_pool": "avg"}, given=given)


@register_model
def tiny_registers(**given: Any) -> Any:
    more = {"reg_tokens": 2, "no_embed_class": True, "init_values": 0.5, "qk_norm": True, "scale_attn_norm": True}
    return _build(VisionTransformer, options={**SIZES, "global_pool": "token", **more}, given=given)


@register_model
def tiny_eva01(**given: Any) -> Any:
    return _build(Eva, options={**EVA, "init_values": 0.5}, given=given)


@register_model
def tiny_eva02(**given: Any) -> Any:
    more = {"qkv_fused": False, "swiglu_mlp": True, "scale_mlp": True, "scale_attn_inner": True}
    return _build(Eva, options={**ROPE, **more}, given=given)


@register_model
def tiny_eva02_post_norm(**given: Any) -> Any:
    return _build(Eva, options={**EVA, "use_post_norm": True}, given=given)


@register_model
def tiny_pe(**given: Any) -> Any:
    more = {"attn_type": "rope", "rope_grid_indexing": "xy", "rope_grid_offset": 1.0, "global_pool": "map"}
    return _build(Eva, options={**ROPE, "use_pre_transformer_norm": True, **more}, given=given)


def load_tiny(model: str) -> Clip:
    """Return a tiny open_clip model with random weights, none of which is zero or one."""
    with mock.patch.dict(os.environ, {VARIABLE: str(ARCHITECTURES)}):
        clip = load_clip(ClipConfig(model=model, weights="random"))
    generator = torch.Generator().manual_seed(0)
    for parameter in clip.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return clip
