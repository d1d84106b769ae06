"""Building blocks shared by several methods; a method file imports them from here.

- CLIP: `ClipConfig`, `load_clip`, `ClipImageEncoder`.
- Class embeddings: `ClassEmbeddingsConfig`, `build_class_embeddings`, `TextBank`, `shuffle_class_embeddings`.
- Segmentation bodies: `BodyConfig`, `build_body`.
- Chimera-Seg's modules: `build_head`, `SemanticAlignment`, `SelectiveGlobalDistillation`.
- Losses and conversion of samples: `PixelTextLoss`, `stack_images`, `stack_labels`, `predict_each`.
- Small backbones for toybox: `toy_presets`.
"""

from __future__ import annotations

from methods.blocks.alignment import NoAlignment, SamConfig, SemanticAlignment
from methods.blocks.bodies import Body, BodyConfig, SmpBodyConfig, build_body
from methods.blocks.class_embeddings import (
    ClassEmbeddings,
    ClassEmbeddingsConfig,
    FileEmbeddings,
    ShuffleConfig,
    TextBank,
    TextEncoderEmbeddings,
    build_class_embeddings,
    shuffle_class_embeddings,
)
from methods.blocks.clip import Attention, ClipConfig, ClipImageEncoder, Grid, Tail, load_clip, to_map
from methods.blocks.distillation import SelectiveGlobalDistillation, SgdConfig
from methods.blocks.heads import CshConfig, Head, HeadConfig, LinearConfig, MlpConfig, build_head
from methods.blocks.images import Normalize, predict_each, stack_images, stack_labels, to_predictions
from methods.blocks.losses import PixelTextConfig, PixelTextLoss
from methods.blocks.toy import toy_presets

__all__ = [
    "Attention",
    "Body",
    "BodyConfig",
    "ClassEmbeddings",
    "ClassEmbeddingsConfig",
    "ClipConfig",
    "ClipImageEncoder",
    "CshConfig",
    "FileEmbeddings",
    "Grid",
    "Head",
    "HeadConfig",
    "LinearConfig",
    "MlpConfig",
    "NoAlignment",
    "Normalize",
    "PixelTextConfig",
    "PixelTextLoss",
    "SamConfig",
    "SelectiveGlobalDistillation",
    "SemanticAlignment",
    "SgdConfig",
    "ShuffleConfig",
    "SmpBodyConfig",
    "Tail",
    "TextBank",
    "TextEncoderEmbeddings",
    "build_body",
    "build_class_embeddings",
    "build_head",
    "load_clip",
    "predict_each",
    "shuffle_class_embeddings",
    "stack_images",
    "stack_labels",
    "to_map",
    "to_predictions",
    "toy_presets",
]
