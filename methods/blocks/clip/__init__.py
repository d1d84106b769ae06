"""CLIP: configuration, loading, weight files and the image encoder."""

from __future__ import annotations

from methods.blocks.clip.attention import Attention, Tail
from methods.blocks.clip.config import AnyClipConfig, ClipConfig
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.clip.loading import load_clip
from methods.blocks.clip.plan_checks import check_class_embedding, check_patches

__all__ = [
    "AnyClipConfig",
    "Attention",
    "ClipConfig",
    "ClipImageEncoder",
    "Tail",
    "check_class_embedding",
    "check_patches",
    "load_clip",
    "to_map",
]
