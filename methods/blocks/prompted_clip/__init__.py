"""CLIP with learned prompts, the method of ZegCLIP's family, and its losses."""

from __future__ import annotations

from methods.blocks.prompted_clip.config import PromptedClipConfig, PromptsConfig
from methods.blocks.prompted_clip.encoder import PromptedClip, PromptedFeatures
from methods.blocks.prompted_clip.family import (
    MaskSegmenterConfig,
    PromptedSegmenterConfig,
    build_encoder_and_embeddings,
)
from methods.blocks.prompted_clip.method import MaskHead, PromptedSegmenter, Vocabulary
from methods.blocks.prompted_clip.objective import (
    MaskObjective,
    MaskObjectiveConfig,
    SigmoidConfig,
    SoftmaxConfig,
    build_mask_objective,
)
from methods.blocks.prompted_clip.official import convert_prompted_clip, make_decoder_rules

__all__ = [
    "MaskHead",
    "MaskObjective",
    "MaskObjectiveConfig",
    "MaskSegmenterConfig",
    "PromptedClip",
    "PromptedClipConfig",
    "PromptedFeatures",
    "PromptedSegmenter",
    "PromptedSegmenterConfig",
    "PromptsConfig",
    "SigmoidConfig",
    "SoftmaxConfig",
    "Vocabulary",
    "build_encoder_and_embeddings",
    "build_mask_objective",
    "convert_prompted_clip",
    "make_decoder_rules",
]
