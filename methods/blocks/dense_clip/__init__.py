"""The dense CLIP family: a frozen CLIP with another attention and tail in its last block labels every patch."""

from __future__ import annotations

from methods.blocks.dense_clip.config import (
    DenseClipConfig,
    EarlyFusionConfig,
    FixedAttentionConfig,
    NeighborAttentionConfig,
    ProxyAttentionConfig,
    ResidualAttentionConfig,
    SelfCalibrationConfig,
)
from methods.blocks.dense_clip.method import make_dense_clip_recipe
from methods.blocks.dense_clip.proxy_models import BodyProxyConfig, TimmProxyConfig

__all__ = [
    "BodyProxyConfig",
    "DenseClipConfig",
    "EarlyFusionConfig",
    "FixedAttentionConfig",
    "NeighborAttentionConfig",
    "ProxyAttentionConfig",
    "ResidualAttentionConfig",
    "SelfCalibrationConfig",
    "TimmProxyConfig",
    "make_dense_clip_recipe",
]
