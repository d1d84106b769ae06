"""CLIP-ES: activation maps of a frozen CLIP, spread by its attention, label the patches of tagged classes."""

from __future__ import annotations

from methods.blocks.clip_es.config import AllTagsConfig, ClipEsConfig, ImageTagsConfig, VotedTagsConfig
from methods.blocks.clip_es.method import make_clip_es_recipe

__all__ = ["AllTagsConfig", "ClipEsConfig", "ImageTagsConfig", "VotedTagsConfig", "make_clip_es_recipe"]
