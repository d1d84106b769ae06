"""Building blocks shared by several methods; a method file imports them from here.

- CLIP: `ClipConfig`, `AnyClipConfig`, `load_clip`, `ClipImageEncoder`; `check_class_embedding` and `check_patches` for
  `Config.check_plan`.
- Class embeddings: `ClassEmbeddingsConfig`, `build_class_embeddings`, `TextBank`, `shuffle_class_embeddings`;
  `check_embeddings_fit` for `Config.check_plan`.
- Segmentation bodies: `BodyConfig`, `build_body`.
- Chimera-Seg's modules: `build_head`, `build_alignment`, `SelectiveGlobalDistillation`.
- Classifier and losses: `compute_inner_products`, `EXCLUDED_LOGIT`, `PixelTextLoss`, `compute_binary_cross_entropy`.
- Parts of networks: `Mlp`, `Dropout`.
- Conversion of samples: `stack_images`, `stack_labels`, `predict_each`.
- Padding of samples: `count_valid_positions`, `map_without_padding`, `encode_without_padding`.
- Small backbones for toybox: `toy_presets`.
"""

from __future__ import annotations

from methods.blocks.alignment import (
    Alignment,
    AlignmentConfig,
    PrototypeConfig,
    SamConfig,
    build_alignment,
    check_alignment_fits,
)
from methods.blocks.bodies import Body, BodyConfig, SmpBodyConfig, build_body
from methods.blocks.calibration import calibrate_batch_norms
from methods.blocks.class_embeddings import (
    ClassEmbeddings,
    ClassEmbeddingsConfig,
    FileEmbeddings,
    ShuffleConfig,
    TextBank,
    TextEncoderEmbeddings,
    build_class_embeddings,
    build_tokenizer,
    check_embeddings_fit,
    check_tokenizer,
    shuffle_class_embeddings,
)
from methods.blocks.clip import (
    AnyClipConfig,
    Attention,
    ClipConfig,
    ClipImageEncoder,
    Tail,
    check_class_embedding,
    check_patches,
    load_clip,
    to_map,
)
from methods.blocks.distillation import SelectiveGlobalDistillation, SgdConfig
from methods.blocks.dropout import Dropout
from methods.blocks.heads import CshConfig, Head, HeadConfig, LinearConfig, MlpConfig, build_head, check_head_fits
from methods.blocks.images import (
    Normalize,
    predict_each,
    resize_to_sample,
    stack_images,
    stack_labels,
    to_predictions,
)
from methods.blocks.inner_products import EXCLUDED_LOGIT, compute_inner_products
from methods.blocks.losses import PixelTextConfig, PixelTextLoss
from methods.blocks.mlp import Mlp
from methods.blocks.padding import (
    Grid,
    count_valid_positions,
    crop_to_image,
    encode_without_padding,
    get_valid_size,
    group_indices,
    map_without_padding,
    mark_valid_positions,
)
from methods.blocks.softplus import compute_binary_cross_entropy
from methods.blocks.toy import toy_presets

__all__ = [
    "EXCLUDED_LOGIT",
    "Alignment",
    "AlignmentConfig",
    "AnyClipConfig",
    "Attention",
    "Body",
    "BodyConfig",
    "ClassEmbeddings",
    "ClassEmbeddingsConfig",
    "ClipConfig",
    "ClipImageEncoder",
    "CshConfig",
    "Dropout",
    "FileEmbeddings",
    "Grid",
    "Head",
    "HeadConfig",
    "LinearConfig",
    "Mlp",
    "MlpConfig",
    "Normalize",
    "PixelTextConfig",
    "PixelTextLoss",
    "PrototypeConfig",
    "SamConfig",
    "SelectiveGlobalDistillation",
    "SgdConfig",
    "ShuffleConfig",
    "SmpBodyConfig",
    "Tail",
    "TextBank",
    "TextEncoderEmbeddings",
    "build_alignment",
    "build_body",
    "build_class_embeddings",
    "build_head",
    "build_tokenizer",
    "calibrate_batch_norms",
    "check_alignment_fits",
    "check_class_embedding",
    "check_embeddings_fit",
    "check_head_fits",
    "check_patches",
    "check_tokenizer",
    "compute_binary_cross_entropy",
    "compute_inner_products",
    "count_valid_positions",
    "crop_to_image",
    "encode_without_padding",
    "get_valid_size",
    "group_indices",
    "load_clip",
    "map_without_padding",
    "mark_valid_positions",
    "predict_each",
    "resize_to_sample",
    "shuffle_class_embeddings",
    "stack_images",
    "stack_labels",
    "to_map",
    "to_predictions",
    "toy_presets",
]
