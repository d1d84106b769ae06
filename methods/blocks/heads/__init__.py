"""Heads that map a body's features to CLIP's embedding space: the CLIP Semantic Head (CSH) and its replacements."""

from __future__ import annotations

from methods.blocks.heads.build import build_head, check_head_fits
from methods.blocks.heads.config import CshConfig, HeadConfig, LinearConfig, MlpConfig
from methods.blocks.heads.head import Head

__all__ = ["CshConfig", "Head", "HeadConfig", "LinearConfig", "MlpConfig", "build_head", "check_head_fits"]
