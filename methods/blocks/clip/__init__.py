"""CLIP: configuration, loading, weight files and the image encoder."""

from __future__ import annotations

from methods.blocks.clip.attention import Attention, Tail
from methods.blocks.clip.config import ClipConfig
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.clip.loading import load_clip

__all__ = ["Attention", "ClipConfig", "ClipImageEncoder", "Tail", "load_clip", "to_map"]
