"""MaskFormer without its classifier: queries and their masks; used by zsseg, DeOP and Split Matching."""

from __future__ import annotations

from methods.blocks.mask_former.config import MaskFormerConfig, PyramidConfig
from methods.blocks.mask_former.model import MaskFormer, MaskFormerOutput, stack_for_pyramid
from methods.blocks.mask_former.official import list_mask_former_rules, rename_encoder
from methods.blocks.mask_former.toy import TOY_MASK_FORMER, toy_mask_former

__all__ = [
    "TOY_MASK_FORMER",
    "MaskFormer",
    "MaskFormerConfig",
    "MaskFormerOutput",
    "PyramidConfig",
    "list_mask_former_rules",
    "rename_encoder",
    "stack_for_pyramid",
    "toy_mask_former",
]
