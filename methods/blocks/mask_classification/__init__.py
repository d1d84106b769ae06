"""Segmenters whose queries propose masks and are classified: parts of zsseg, DeOP, Split Matching and SAN."""

from __future__ import annotations

from methods.blocks.learned_prompts import (
    LearnedPrompts,
    LearnedPromptsConfig,
    check_learned_prompts_fit,
)
from methods.blocks.mask_classification.classifier import (
    classify_queries,
)
from methods.blocks.mask_classification.official import list_learned_prompt_rules, rename_with_segmenter
from methods.blocks.mask_classification.prompts import (
    TextPromptsConfig,
    build_text,
)
from methods.blocks.mask_former import (
    TOY_MASK_FORMER,
    MaskFormer,
    MaskFormerConfig,
    MaskFormerOutput,
    PyramidConfig,
    list_mask_former_rules,
    rename_encoder,
    stack_for_pyramid,
    toy_mask_former,
)
from methods.blocks.mask_matching import (
    MaskMatchingConfig,
    MaskTargets,
    Matches,
    PointSamplingConfig,
    compute_class_loss,
    compute_costs,
    compute_mask_losses,
    compute_matching_losses,
    make_mask_targets,
    match_queries,
    stack_mask_targets,
)
from methods.blocks.masked_crops import (
    MaskedCropConfig,
    MaskedCropEncoder,
    RegionEmbeddings,
    combine_probabilities,
)
from methods.blocks.prompt_texts import (
    SCULPTURE,
    TemplatePromptsConfig,
)

__all__ = [
    "SCULPTURE",
    "TOY_MASK_FORMER",
    "LearnedPrompts",
    "LearnedPromptsConfig",
    "MaskFormer",
    "MaskFormerConfig",
    "MaskFormerOutput",
    "MaskMatchingConfig",
    "MaskTargets",
    "MaskedCropConfig",
    "MaskedCropEncoder",
    "Matches",
    "PointSamplingConfig",
    "PyramidConfig",
    "RegionEmbeddings",
    "TemplatePromptsConfig",
    "TextPromptsConfig",
    "build_text",
    "check_learned_prompts_fit",
    "classify_queries",
    "combine_probabilities",
    "compute_class_loss",
    "compute_costs",
    "compute_mask_losses",
    "compute_matching_losses",
    "list_learned_prompt_rules",
    "list_mask_former_rules",
    "make_mask_targets",
    "match_queries",
    "rename_encoder",
    "rename_with_segmenter",
    "stack_for_pyramid",
    "stack_mask_targets",
    "toy_mask_former",
]
